"""Retention: the period and batches of each kind of row, and protection of the audit log."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from app.models import AuditEvent, SessionKey
from app.models.columns import new_id
from app.services import audit
from app.services.apps.apps import NewApp
from app.services.apps.claims import claim_app
from app.services.apps.tenants import tenant_id_of
from app.services.database.transactions import transaction
from app.services.privacy import erasure
from app.services.retention import batches, closed_accounts, rules
from app.services.retention import run as retention_run
from app.services.retention.run import run_retention
from app.services.signing.signing_keys import rotate_signing_key
from app.services.user_import.files import read_user_file
from app.services.user_import.preview import preview_import
from tests.fixtures.operators import signed_in
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import (
    ACME_SHOP,
    GLOBEX_LIFE,
    Client,
    Person,
    Reader,
    WeChat,
    enter_user,
)
from tests.fixtures.portal import REVOKE, Portal, configure, event
from tests.fixtures.tables import GONE, changes, read_tables
from tests.services.database.test_idempotency import create
from tests.services.login.test_concurrency import run_concurrently

Run = Callable[..., Result]

# In a distributed database, the name of the table ends with the number of a shard.
APPEND_ONLY = r"audit_events(_\d+)? is append only"


@pytest.fixture
def run(app: Flask) -> Run:
    """Return a function that runs a CLI command."""
    runner = app.test_cli_runner()
    return lambda *arguments: runner.invoke(args=list(arguments), catch_exceptions=False)


def run_retention_once(app: Flask) -> dict[str, int]:
    """Run retention and return the number of deleted rows by kind, without zeros."""
    with app.app_context():
        return {kind: count for kind, count in run_retention() if count}


def age_ids(rows: Reader, table: str, days: int, which: str = "true") -> None:
    """Move the creation time in the ids of the selected rows into the past."""
    for (old,) in rows(f"SELECT id FROM {table} WHERE {which}"):
        made = old.int - (days * 86_400_000 << 80)
        rows(f"UPDATE {table} SET id = :new WHERE id = :old", new=UUID(int=made), old=old)


def record_event(app: Flask, rows: Reader, slug: str, days_ago: int) -> None:
    """Insert an audit event of a tenant, dated in the past."""
    rows(
        "INSERT INTO audit_events (id, tenant_id, actor_kind, action, subject, ip, created_at)"
        " SELECT :id, id, 'user', 'old', 'x', '192.0.2.1',"
        " now() - make_interval(days => :days) FROM tenants WHERE slug = :slug",
        id=UUID(int=new_id().int - (days_ago * 86_400_000 << 80)),
        slug=slug,
        days=days_ago,
    )


# Periods


@pytest.mark.parametrize(
    ("column", "age", "is_due"),
    [("ended_at", 89, False), ("ended_at", 91, True), ("refresh_expires_at", 91, True)],
)
def test_sessions_are_deleted_ninety_days_after_they_end(  # noqa: PLR0913
    app: Flask, client: Client, alice: Person, rows: Reader, column: str, age: int, is_due: bool
) -> None:
    client.bind(alice)
    active_token = client.log_in(alice)["token"]
    ((session,),) = rows("SELECT id FROM login_sessions ORDER BY id LIMIT 1")
    age_ids(rows, "login_sessions", 100, f"id = '{session}'")
    ((session,),) = rows("SELECT id FROM login_sessions ORDER BY id LIMIT 1")
    expired = "expires_at = now() - interval '92 days'"
    more = ", end_reason = 'logged_out'" if column == "ended_at" else f", {expired}"
    rows(
        f"UPDATE login_sessions SET {column} = now() - make_interval(days => :age){more}"
        " WHERE id = :id",
        id=session,
        age=age,
    )
    before = read_tables(rows)
    assert run_retention_once(app) == ({"sessions": 1} if is_due else {})
    assert changes(before, read_tables(rows)) == (
        {"login_sessions": {session: GONE}} if is_due else {}
    )
    assert client.me(active_token).status_code == 200


def test_unbound_sessions_are_deleted_ninety_days_after_they_expire(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    client.log_in(alice)
    age_ids(rows, "login_sessions", 92)
    rows("UPDATE login_sessions SET expires_at = now() - interval '91 days'")
    assert run_retention_once(app) == {"sessions": 1}


def test_audit_events_are_kept_for_the_audit_days_of_the_tenant(
    app: Flask, rows: Reader, run: Run
) -> None:
    assert run("tenants", "set", "acme", "--audit-days", "180").exit_code == 0
    for slug in ("acme", "globex"):
        for days in (179, 181, 1096):
            record_event(app, rows, slug, days)
    assert run_retention_once(app) == {"audit_events": 3}
    kept = rows(
        "SELECT slug, (now() - e.created_at) > interval '180 days' FROM audit_events e"
        " JOIN tenants t ON t.id = tenant_id WHERE action = 'old' ORDER BY slug, 2"
    )
    assert kept == [("acme", False), ("globex", False), ("globex", True)]


def test_audit_events_of_the_platform_are_kept_for_three_years(app: Flask, rows: Reader) -> None:
    for days in (1094, 1096):
        rows(
            "INSERT INTO platform_audit_events (id, actor_kind, action, subject, created_at) VALUES"
            " (:id, 'operator', 'old', :days, now() - make_interval(days => :ago))",
            id=UUID(int=new_id().int - (days * 86_400_000 << 80)),
            days=str(days),
            ago=days,
        )
    assert run_retention_once(app) == {"platform_audit_events": 1}
    kept = rows("SELECT subject FROM platform_audit_events WHERE action = 'old'")
    assert kept == [("1094",)]


@pytest.mark.parametrize(("age", "is_due"), [(89, False), (91, True)])
@pytest.mark.parametrize("closed", [False, True])
def test_app_claims_are_deleted_ninety_days_after_the_last_secret_or_closure(
    age: int, is_due: bool, closed: bool, app: Flask, rows: Reader
) -> None:
    with app.app_context():
        new = NewApp("wxcccc000000000002", "x", "closed", "json", "c2" * 16)
        claim_app(audit.OPERATOR, tenant_id_of("acme"), new)
    age_ids(rows, "app_claims", 100)
    (moment, secret) = ("closed_at", ", secret_sealed = NULL") if closed else ("secret_set_at", "")
    rows(f"UPDATE app_claims SET {moment} = now() - make_interval(days => :d){secret}", d=age)
    assert run_retention_once(app) == ({"app_claims": 1} if is_due else {})
    assert rows.count("app_claims") == int(not is_due)
    assert run_retention_once(app) == {}


def test_old_handled_pushes_are_deleted_and_failed_pushes_are_kept(
    app: Flask, client: Client, rows: Reader
) -> None:
    configure(app)
    portal = Portal(client)
    portal.push(event())
    portal.push(event("debug_demo"))
    portal.push(event(OpenID="", CreateTime=1700000000))
    age_ids(rows, "wechat_pushes", 91)
    old = "received_at = now() - interval '91 days'"
    rows(f"UPDATE wechat_pushes SET {old}, handled_at = handled_at - interval '31 days'")
    assert rows.count("wechat_pushes") == 3
    assert run_retention_once(app) == {"pushes": 2}
    assert rows("SELECT event, failure FROM wechat_pushes") == [(REVOKE, "NobodyNamed")]
    assert run_retention_once(app) == {}


def test_old_session_keys_signing_keys_codes_and_password_attempts_are_deleted(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    enter_user(app, account="alice", password=GOOD_PASSWORD)
    client.log_in(alice)
    client.log_in(alice)
    client.post("password-login", account="alice", password="wrong-password")
    rows("UPDATE session_keys SET asked_at = asked_at - interval '4 days'")
    rows("UPDATE code_exchanges SET asked_at = now() - interval '11 minutes'")
    rows("UPDATE password_tries SET forgotten_at = now() - interval '1 second'")
    with app.app_context():
        for _ in range(3):
            rotate_signing_key()
            rows("UPDATE signing_keys SET signs_from = signs_from - interval '1 hour'")
    assert run_retention_once(app) == {
        "session_keys": 1,
        "signing_keys": 2,
        "code_exchanges": 2,
        "password_tries": 3,
    }
    assert rows("SELECT generation FROM signing_keys") == [(3,)]
    assert rows.count("session_keys") == 1
    assert run_retention_once(app) == {}


def test_signing_key_is_kept_while_jwts_signed_with_it_are_valid(app: Flask, rows: Reader) -> None:
    with app.app_context():
        rotate_signing_key()
        rows("UPDATE signing_keys SET signs_from = now() - interval '1 hour'")
        rotate_signing_key()
    rows("UPDATE signing_keys SET signs_from = now() - interval '10 minutes' WHERE generation = 2")
    assert run_retention_once(app) == {}


def test_retention_does_not_change_rows_that_are_not_due(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    token = client.bind(alice)["token"]
    before = read_tables(rows)
    assert run_retention_once(app) == {}
    assert changes(before, read_tables(rows)) == {}
    assert client.me(token).status_code == 200


# Runs


def add_old_events(app: Flask, rows: Reader, count: int) -> None:
    """Insert audit events that are due for deletion."""
    for _ in range(count):
        record_event(app, rows, "acme", 1100)


def test_retention_deletes_due_rows_in_batches(
    app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "AT_ONCE", 3)
    sizes, few = [], batches._remove_few

    def counting(*given: Any) -> Any:
        sizes.append(few(*given))
        return sizes[-1]

    monkeypatch.setattr(batches, "_remove_few", counting)
    add_old_events(app, rows, 8)
    assert run_retention_once(app) == {"audit_events": 8}
    assert [size for size in sizes if size] == [3, 3, 2]


def rows_scanned(db: Session, table: Any, due: rules.Due) -> list[UUID]:
    """Return the rows that retention scans for a rule about tenants."""
    of_tenants = table.tenant_id.in_(due.tenants or ())
    return [*db.scalars(select(table.id).where(of_tenants, *due.old))]


def test_retention_excludes_recent_rows_by_their_ids(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """The condition uses the primary key, so that recent rows are not read."""
    configure(app)
    for _ in range(3):
        login = client.bind(alice)
        Portal(client).push(event(OpenID=login["openid"], RevokeInfo="16"))
    with app.app_context(), transaction() as db:
        for kind in ("sessions", "audit_events", "pushes"):
            table, dues = rules.RULES[kind]
            assert rows.count(table.__tablename__) >= 1
            for due in dues(rules.read_periods()):
                assert due.old
                assert rows_scanned(db, table, due) == []


def test_each_retention_statement_reads_at_most_one_batch(
    app: Flask, client: Client, wechat: WeChat, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "AT_ONCE", 4)
    for number in range(9):
        client.log_in(Person(wechat, f"person{number}", f"1380013800{number}"))
    ((last,),) = rows("SELECT id FROM session_keys ORDER BY id DESC LIMIT 1")
    with app.app_context():
        due = rules.Due(SessionKey.id == last, tenants=[tenant_id_of("acme")])
    monkeypatch.setattr(retention_run, "RULES", {"session_keys": (SessionKey, lambda _: [due])})
    sizes, few = [], batches._remove_few

    def counting(table: Any, tenant_id: UUID, of_tenant: Any, which: Any) -> int:
        with transaction() as db:
            scanned = select(SessionKey.id).where(*of_tenant, *which[:-1])
            sizes.append(len(db.scalars(scanned).all()))
        return few(table, tenant_id, of_tenant, which)

    monkeypatch.setattr(batches, "_remove_few", counting)
    assert run_retention_once(app) == {"session_keys": 1}
    assert sizes == [4, 4, 1]


def test_retention_dry_run_counts_due_rows_and_deletes_nothing(
    app: Flask, rows: Reader, run: Run
) -> None:
    add_old_events(app, rows, 2)
    run("tenants", "list")  # The first command stores the key proofs.
    before = read_tables(rows)
    shown = run("retention", "run", "--dry-run")
    assert "audit_events\t2" in shown.output.splitlines()
    assert "closed_accounts\t0" in shown.output.splitlines()
    assert changes(before, read_tables(rows)) == {}
    assert "audit_events\t2" in run("retention", "run").output.splitlines()
    assert "audit_events\t0" in run("retention", "run").output.splitlines()


def test_failed_erasure_of_one_user_does_not_prevent_other_erasures(
    app: Flask, client: Client, alice: Person, bob: Person, rows: Reader, run: Run
) -> None:
    broken = client.bind(alice)["user"]["id"]
    client.bind(bob)
    rows("UPDATE users SET erase_after = now()")
    add_old_events(app, rows, 1)
    erase = closed_accounts.erase

    def erase_others(db: Any, held: Any, actor: Any) -> None:
        if broken in map(str, held.user_ids):
            raise ZeroDivisionError
        erase(db, held, actor)

    with pytest.MonkeyPatch.context() as patch, capture_logs() as logs:
        patch.setattr(closed_accounts, "erase", erase_others)
        ran = run("retention", "run")
    assert ran.exit_code == 1
    lines = ran.output.splitlines()
    assert {"closed_accounts\t1", "audit_events\t1", "failed\t1"} <= set(lines)
    assert [log["about"] for log in logs if log["event"] == "retention_failed"] == [
        f"user {broken}"
    ]
    assert [str(one) for (one,) in rows("SELECT id FROM users")] == [broken]
    again = run("retention", "run")
    assert (again.exit_code, rows.count("users")) == (0, 0)


def test_failed_batch_ends_its_retention_step_and_earlier_deletions_are_counted(
    app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "AT_ONCE", 2)
    add_old_events(app, rows, 6)
    few, calls = batches._remove_few, []

    def fail_at_the_second(table: Any, *more: Any) -> Any:
        if table is AuditEvent and (calls.append(table) or len(calls) == 2):
            raise ZeroDivisionError
        return few(table, *more)

    monkeypatch.setattr(batches, "_remove_few", fail_at_the_second)
    assert run_retention_once(app) == {"audit_events": 2, "failed": 1}


class ProcessKilled(BaseException):
    """Simulates that the process is killed."""


def test_next_retention_run_continues_an_interrupted_run(
    app: Flask, client: Client, alice: Person, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "AT_ONCE", 2)
    add_old_events(app, rows, 5)
    client.bind(alice)
    rows("UPDATE users SET erase_after = now()")
    before, few, calls = read_tables(rows), batches._remove_few, []

    def crash(*_: Any) -> None:
        raise ProcessKilled

    def crash_at_the_second(table: Any, *more: Any) -> Any:
        if table is AuditEvent and (calls.append(table) or len(calls) == 2):
            raise ProcessKilled
        return few(table, *more)

    with monkeypatch.context() as patch:
        patch.setattr(erasure, "_clear_trail", crash)
        with pytest.raises(ProcessKilled):
            run_retention_once(app)
    assert changes(before, read_tables(rows)) == {}
    with monkeypatch.context() as patch:
        patch.setattr(batches, "_remove_few", crash_at_the_second)
        with pytest.raises(ProcessKilled):
            run_retention_once(app)
    assert (rows.count("users"), rows.count("audit_events", "action = 'old'")) == (0, 3)
    assert run_retention_once(app) == {"audit_events": 3}


def test_rows_of_all_tenants_are_deleted_and_counted_together(
    app: Flask, client: Client, alice: Person, rows: Reader, run: Run
) -> None:
    for person_app in (ACME_SHOP, GLOBEX_LIFE):
        client.log_in(alice, person_app)
        client.log_in(alice, person_app)
        client.bind(alice, person_app)
    for slug in ("acme", "globex"):
        record_event(app, rows, slug, 1100)
    rows("UPDATE session_keys SET asked_at = asked_at - interval '4 days'")
    rows("UPDATE code_exchanges SET asked_at = now() - interval '11 minutes'")
    rows("UPDATE users SET erase_after = now()")
    due = {"closed_accounts\t2", "session_keys\t4", "code_exchanges\t6", "audit_events\t2"}
    assert due <= set(run("retention", "run", "--dry-run").output.splitlines())
    # The erasure deletes the keys of the users and their codes.
    assert run_retention_once(app) == {"closed_accounts": 2, "audit_events": 2}
    assert run_retention_once(app) == {}


def test_error_of_one_tenant_does_not_prevent_deletions_of_other_tenants(
    app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    for slug in ("acme", "globex"):
        record_event(app, rows, slug, 1100)
    with app.app_context():
        acme = tenant_id_of("acme")
    few = batches._remove_few

    def fail_for_acme(table: Any, tenant_id: UUID, *more: Any) -> int:
        if tenant_id == acme:
            raise ZeroDivisionError
        return few(table, tenant_id, *more)

    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(batches, "_remove_few", fail_for_acme)
        assert run_retention_once(app) == {"audit_events": 1, "failed": 1}
    told = [(log["kind"], log["about"]) for log in logs if log["event"] == "retention_failed"]
    assert told == [("audit_events", f"tenant {acme}")]
    assert rows("SELECT tenant_id FROM audit_events WHERE action = 'old'") == [(acme,)]
    assert run_retention_once(app) == {"audit_events": 1}


def test_run_without_due_rows_sends_few_statements_for_each_table(
    app: Flask, rows: Reader, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """These do not include the pipelines that find the tenants with old rows."""
    monkeypatch.setattr(retention_run, "drop_old_counts", lambda _: iter([]))
    for number in range(60):
        rows(
            "INSERT INTO tenants (id, slug, name) VALUES (:id, :slug, 'x')",
            id=new_id(),
            slug=f"tenant{number}",
        )
    statements.clear()
    assert run_retention_once(app) == {}
    assert len(statements) < 60


@pytest.mark.real_commits
def test_concurrent_retention_runs_share_the_work(
    app: Flask, client: Client, alice: Person, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "AT_ONCE", 5)
    add_old_events(app, rows, 60)
    client.bind(alice)
    rows("UPDATE users SET erase_after = now()")
    runs = run_concurrently([lambda: run_retention_once(app)] * 4)
    assert sum(one.get("audit_events", 0) for one in runs) == 60
    assert sum(one.get("closed_accounts", 0) for one in runs) == 1
    assert rows.count("audit_events", "action = 'user.erased'") == 1
    assert rows.count("users") == 0


# Audit log


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_events SET ip = NULL",
        "UPDATE audit_events SET subject = ''",
        "DELETE FROM audit_events",
        "DELETE FROM audit_events WHERE action = 'old'",
        "TRUNCATE audit_events",
    ],
)
def test_audit_log_cannot_be_changed_outside_retention(
    app: Flask, rows: Reader, change: str
) -> None:
    record_event(app, rows, "acme", 2000)
    with pytest.raises(DBAPIError, match=APPEND_ONLY):
        rows(change)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_events SET subject = ''",
        "UPDATE audit_events SET ip = '192.0.2.2' WHERE action = 'old'",
        "UPDATE audit_events SET ip = NULL, details = '{\"a\": 1}'",
        "UPDATE audit_events SET created_at = created_at - interval '9 years'",
        "DELETE FROM audit_events",
        "DELETE FROM audit_events WHERE created_at > now() - interval '1095 days'",
        "TRUNCATE audit_events",
    ],
)
def test_retention_can_only_delete_due_audit_events_and_clear_ip_addresses(
    app: Flask, rows: Reader, change: str
) -> None:
    record_event(app, rows, "acme", 2000)
    allow = "SELECT set_config('wxpass.retention', 'on', true)"
    with pytest.raises(DBAPIError, match=APPEND_ONLY):
        rows(f"{allow}; {change}")


def test_audit_log_is_protected_again_after_a_retention_run(app: Flask, rows: Reader) -> None:
    """Retention allows deletions per transaction, not for the connection."""
    add_old_events(app, rows, 1)
    run_retention_once(app)
    add_old_events(app, rows, 1)
    with pytest.raises(DBAPIError, match=APPEND_ONLY):
        rows("DELETE FROM audit_events WHERE action = 'old'")


def test_audit_log_is_listed_per_tenant_newest_first(
    app: Flask, client: Client, alice: Person, rows: Reader, run: Run
) -> None:
    user = client.bind(alice)["user"]["id"]
    listed = [line.split("\t") for line in run("audit", "list", "acme").output.splitlines()]
    assert [one[3] for one in listed[:2]] == ["phone.verified", "social_account.bound"]
    assert listed[0][1:6] == ["user", user, "phone.verified", user, "127.0.0.1"]
    assert [one[0] for one in listed] == sorted((one[0] for one in listed), reverse=True)
    about = run("audit", "list", "acme", "--subject", user).output.splitlines()
    assert len(about) == 1
    verified = run("audit", "list", "acme", "--action", "phone.verified", "--limit", "1")
    assert len(verified.output.splitlines()) == 1
    assert run("audit", "list", "acme", "--since", "2999-01-01").output == ""
    assert user not in run("audit", "list", "globex").output
    assert run("audit", "list", "nobody").exit_code == 1


def test_audit_events_identify_users_by_id_only(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    enter_user(app, account="alice", password=GOOD_PASSWORD, phone="13800138001")
    login = client.bind(alice)
    client.post("profile", login["token"], nickname="Alice Nickname")
    client.send("DELETE", "/v1/me", login["token"])
    client.bind(alice)
    configure(app)
    Portal(client).push(event(OpenID=login["openid"], RevokeInfo="8"))
    events = json.dumps([list(map(str, row)) for row in rows("SELECT * FROM audit_events")])
    for personal in ("13800138001", "Nickname", login["openid"], '"alice"', "138****"):
        assert personal not in events


def test_audit_event_with_an_unknown_actor_kind_is_refused_by_the_database(app: Flask) -> None:
    for slug, table in (("acme", "audit_events"), (None, "platform_audit_events")):
        refused = pytest.raises(DBAPIError, match=f"ck_{table}_actor_kind")
        with refused, app.app_context(), transaction() as db:
            tenant_id = slug and tenant_id_of(slug)
            audit.record(db, tenant_id, audit.Actor("ghost"), "x", "x")


def test_retention_periods_outside_the_allowed_range_are_refused(run: Run, rows: Reader) -> None:
    for option in ("--audit-days=179", "--grace-days=-1", "--grace-days=91"):
        assert run("tenants", "set", "acme", option).exit_code == 2
    assert run("tenants", "set", "acme", "--grace-days=0").exit_code == 0
    assert rows("SELECT grace_days, audit_days FROM tenants WHERE slug = 'acme'") == [(0, 1095)]


def test_old_operator_sessions_imports_and_idempotent_requests_are_deleted(
    app: Flask, rows: Reader
) -> None:
    ops = signed_in(app, "ops@wxpass.example", "platform")
    invite = {"email": "new@wxpass.example", "role": "platform"}
    assert create(ops, "/operators", invite).status_code == 201
    with app.app_context():
        file = read_user_file(b"account,phone\nerin,13800138055\n")
        preview_import(audit.OPERATOR, tenant_id_of("acme"), file)
    tables = ("operator_sessions", "people_imports", "idempotent_requests")
    assert run_retention_once(app) == {}
    rows("UPDATE people_imports SET expires_at = now() - interval '1 minute'")
    rows("UPDATE idempotent_requests SET asked_at = now() - interval '25 hours'")
    age_ids(rows, "operator_sessions", 91)
    rows("UPDATE operator_sessions SET ended_at = now() - interval '91 days', end_reason = 'x'")
    assert run_retention_once(app) == dict.fromkeys(tables, 1)
    assert [rows.count(table) for table in tables] == [0, 0, 0]

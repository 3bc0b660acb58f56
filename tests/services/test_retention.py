"""What is due goes, in small batches, and nothing else; the audit trail lets nobody else pass."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from app.models import AuditEvent, SessionKey
from app.models.columns import new_id
from app.services import audit, retention
from app.services.apps.apps import NewApp
from app.services.apps.claims import claim_app
from app.services.apps.tenants import tenant_id_of
from app.services.database.transactions import transaction
from app.services.privacy import erasure
from app.services.retention import run_retention
from app.services.signing.signing_keys import rotate_signing_key
from app.services.user_import.files import read_user_file
from app.services.user_import.preview import preview_import
from tests.fixtures.operators import signed_in
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import Client, Person, Reader, WeChat, enter_user
from tests.fixtures.portal import REVOKE, Portal, configure, event
from tests.fixtures.tables import GONE, changes, read_tables
from tests.services.database.test_idempotency import create
from tests.services.login.test_concurrency import run_concurrently

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    """Run a command."""
    runner = app.test_cli_runner()
    return lambda *arguments: runner.invoke(args=list(arguments), catch_exceptions=False)


def removed(app: Flask) -> dict[str, int]:
    """Run retention, and say what it removed."""
    with app.app_context():
        return {kind: count for kind, count in run_retention() if count}


def make_old(rows: Reader, table: str, days: int, which: str = "true") -> None:
    """Let the ids of some rows have been made so long ago."""
    for (old,) in rows(f"SELECT id FROM {table} WHERE {which}"):
        made = old.int - (days * 86_400_000 << 80)
        rows(f"UPDATE {table} SET id = :new WHERE id = :old", new=UUID(int=made), old=old)


def note(app: Flask, rows: Reader, slug: str, days_ago: int) -> None:
    """Write an audit event as it was written long ago."""
    rows(
        "INSERT INTO audit_events (id, tenant_id, actor_kind, action, subject, ip, created_at)"
        " SELECT :id, id, 'user', 'old', 'x', '192.0.2.1',"
        " now() - make_interval(days => :days) FROM tenants WHERE slug = :slug",
        id=UUID(int=new_id().int - (days_ago * 86_400_000 << 80)),
        slug=slug,
        days=days_ago,
    )


# What goes, and what stays


@pytest.mark.parametrize(
    ("column", "age", "is_due"),
    [("ended_at", 89, False), ("ended_at", 91, True), ("refresh_expires_at", 91, True)],
)
def test_sessions_go_ninety_days_after_their_end(  # noqa: PLR0913
    app: Flask, client: Client, alice: Person, rows: Reader, column: str, age: int, is_due: bool
) -> None:
    """Otherwise devices and addresses are kept for ever, or taken while somebody may ask."""
    client.bind(alice)
    living = client.log_in(alice)["token"]
    ((session,),) = rows("SELECT id FROM login_sessions ORDER BY id LIMIT 1")
    make_old(rows, "login_sessions", 100, f"id = '{session}'")
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
    assert removed(app) == ({"sessions": 1} if is_due else {})
    assert changes(before, read_tables(rows)) == (
        {"login_sessions": {session: GONE}} if is_due else {}
    )
    assert client.me(living).status_code == 200


def test_an_unbound_session_that_nobody_bound_goes_too(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise bind keys that nobody traded pile up."""
    client.log_in(alice)
    make_old(rows, "login_sessions", 92)
    rows("UPDATE login_sessions SET expires_at = now() - interval '91 days'")
    assert removed(app) == {"sessions": 1}


def test_the_trail_is_kept_as_long_as_each_tenant_says(app: Flask, rows: Reader, run: Run) -> None:
    """Otherwise one tenant's setting shortens the records of its neighbour."""
    assert run("tenants", "set", "acme", "--audit-days", "180").exit_code == 0
    for slug in ("acme", "globex"):
        for days in (179, 181, 1096):
            note(app, rows, slug, days)
    assert removed(app) == {"audit_events": 3}
    kept = rows(
        "SELECT slug, (now() - e.created_at) > interval '180 days' FROM audit_events e"
        " JOIN tenants t ON t.id = tenant_id WHERE action = 'old' ORDER BY slug, 2"
    )
    assert kept == [("acme", False), ("globex", False), ("globex", True)]


def test_what_happened_in_no_tenant_is_kept_for_three_years(app: Flask, rows: Reader) -> None:
    """Otherwise the platform's own records stay for ever, or go with some tenant's setting."""
    for days in (1094, 1096):
        rows(
            "INSERT INTO audit_events (id, actor_kind, action, subject, created_at) VALUES"
            " (:id, 'operator', 'old', :days, now() - make_interval(days => :ago))",
            id=UUID(int=new_id().int - (days * 86_400_000 << 80)),
            days=str(days),
            ago=days,
        )
    assert removed(app) == {"audit_events": 1}
    assert rows("SELECT subject FROM audit_events WHERE action = 'old'") == [("1094",)]


@pytest.mark.parametrize(("age", "goes"), [(89, False), (91, True)])
@pytest.mark.parametrize("closed", [False, True])
def test_claims_go_ninety_days_after_their_last_secret_or_their_closing(
    age: int, goes: bool, closed: bool, app: Flask, rows: Reader
) -> None:
    """A secret that was never proven is not kept for ever."""
    with app.app_context():
        new = NewApp("wxcccc000000000002", "x", "closed", "json", "c2" * 16)
        claim_app(audit.OPERATOR, tenant_id_of("acme"), new)
    make_old(rows, "app_claims", 100)
    (moment, secret) = ("closed_at", ", secret_sealed = NULL") if closed else ("secret_set_at", "")
    rows(f"UPDATE app_claims SET {moment} = now() - make_interval(days => :d){secret}", d=age)
    assert removed(app) == ({"app_claims": 1} if goes else {})
    assert rows.count("app_claims") == int(not goes)
    assert removed(app) == {}


def test_pushes_that_were_handled_go_and_one_that_failed_waits(
    app: Flask, client: Client, rows: Reader
) -> None:
    """Otherwise a withdrawal that failed is forgotten, or what customers wrote is not."""
    configure(app)
    portal = Portal(client)
    portal.push(event())
    portal.push(event("debug_demo"))
    portal.push(event(OpenID="", CreateTime=1700000000))
    make_old(rows, "wechat_pushes", 91)
    old = "received_at = now() - interval '91 days'"
    rows(f"UPDATE wechat_pushes SET {old}, handled_at = handled_at - interval '31 days'")
    assert rows.count("wechat_pushes") == 3
    assert removed(app) == {"pushes": 2}
    assert rows("SELECT event, failure FROM wechat_pushes") == [(REVOKE, "NobodyNamed")]
    assert removed(app) == {}


def test_keys_codes_and_counts_of_no_use_go(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise secrets that serve nothing any more wait for a thief."""
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
    assert removed(app) == {
        "session_keys": 1,
        "signing_keys": 2,
        "code_exchanges": 2,
        "password_tries": 3,
    }
    assert rows("SELECT generation FROM signing_keys") == [(3,)]
    assert rows.count("session_keys") == 1
    assert removed(app) == {}


def test_a_key_that_may_still_have_to_verify_stays(app: Flask, rows: Reader) -> None:
    """Otherwise a business back end refuses a token that was good a moment ago."""
    with app.app_context():
        rotate_signing_key()
        rows("UPDATE signing_keys SET signs_from = now() - interval '1 hour'")
        rotate_signing_key()
    rows("UPDATE signing_keys SET signs_from = now() - interval '10 minutes' WHERE generation = 2")
    assert removed(app) == {}


def test_nothing_that_is_not_due_is_touched(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise the daily run logs people out."""
    token = client.bind(alice)["token"]
    before = read_tables(rows)
    assert removed(app) == {}
    assert changes(before, read_tables(rows)) == {}
    assert client.me(token).status_code == 200


# How


def grow(app: Flask, rows: Reader, count: int) -> None:
    """Have many old audit events."""
    for _ in range(count):
        note(app, rows, "acme", 1100)


def test_what_is_due_goes_in_small_batches(
    app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a first run after a year locks a table for minutes."""
    monkeypatch.setattr(retention, "AT_ONCE", 3)
    sizes, few = [], retention._remove_few

    def counting(*given: Any) -> Any:
        sizes.append(few(*given))
        return sizes[-1]

    monkeypatch.setattr(retention, "_remove_few", counting)
    grow(app, rows, 8)
    assert removed(app) == {"audit_events": 8}
    assert [size for size in sizes if size] == [3, 3, 2]


def test_what_is_young_is_not_even_looked_at(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise every run reads all there is, and no run ends within the limit of a statement."""
    configure(app)
    for _ in range(3):
        login = client.bind(alice)
        Portal(client).push(event(OpenID=login["openid"], RevokeInfo="16"))
    with app.app_context(), transaction() as db:
        for kind in ("sessions", "audit_events", "pushes"):
            table, dues = retention.RULES[kind]
            assert rows.count(table.__tablename__) >= 1
            for due in dues():
                assert due.old
                assert db.scalars(select(table.id).where(*due.old)).all() == []


def test_no_statement_looks_at_more_rows_than_a_batch(
    app: Flask, client: Client, wechat: WeChat, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise looking for the last few rows that are due takes as long as the table is big."""
    monkeypatch.setattr(retention, "AT_ONCE", 4)
    for number in range(9):
        client.log_in(Person(wechat, f"person{number}", f"1380013800{number}"))
    ((last,),) = rows("SELECT id FROM session_keys ORDER BY id DESC LIMIT 1")
    due = retention.Due(SessionKey.id == last)
    monkeypatch.setattr(retention, "RULES", {"session_keys": (SessionKey, lambda: iter([due]))})
    sizes, few = [], retention._remove_few

    def counting(table: Any, key: Any, *which: Any) -> int:
        with transaction() as db:
            sizes.append(len(db.scalars(select(key).where(*which[:-1])).all()))
        return few(table, key, *which)

    monkeypatch.setattr(retention, "_remove_few", counting)
    assert removed(app) == {"session_keys": 1}
    assert sizes == [4, 4, 1]


def test_a_dry_run_says_how_much_and_removes_nothing(app: Flask, rows: Reader, run: Run) -> None:
    """Otherwise an operator learns what a setting does by losing it."""
    grow(app, rows, 2)
    run("tenants", "list")  # the first command that runs proves the keys
    before = read_tables(rows)
    shown = run("retention", "run", "--dry-run")
    assert "audit_events\t2" in shown.output.splitlines()
    assert "closed_accounts\t0" in shown.output.splitlines()
    assert changes(before, read_tables(rows)) == {}
    assert "audit_events\t2" in run("retention", "run").output.splitlines()
    assert "audit_events\t0" in run("retention", "run").output.splitlines()


def test_what_cannot_be_removed_keeps_nothing_else_from_it(
    app: Flask, client: Client, alice: Person, bob: Person, rows: Reader, run: Run
) -> None:
    """Otherwise one broken account keeps everybody else's data here for ever."""
    broken = client.bind(alice)["user"]["id"]
    client.bind(bob)
    rows("UPDATE users SET erase_after = now()")
    grow(app, rows, 1)
    erase = retention.erase

    def erase_others(db: Any, held: Any, actor: Any) -> None:
        if broken in map(str, held.user_ids):
            raise ZeroDivisionError
        erase(db, held, actor)

    with pytest.MonkeyPatch.context() as patch, capture_logs() as logs:
        patch.setattr(retention, "erase", erase_others)
        ran = run("retention", "run")
    assert ran.exit_code == 1
    told = ran.output.splitlines()
    assert {"closed_accounts\t1", "audit_events\t1", "failed\t1"} <= set(told)
    assert [log["about"] for log in logs if log["event"] == "retention_failed"] == [
        f"user {broken}"
    ]
    assert [str(one) for (one,) in rows("SELECT id FROM users")] == [broken]
    again = run("retention", "run")
    assert (again.exit_code, rows.count("users")) == (0, 0)


def test_a_batch_that_fails_ends_its_kind_and_what_went_before_is_told(
    app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a run that failed half way says that it removed nothing, or goes on for ever."""
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    grow(app, rows, 6)
    few, batches = retention._remove_few, []

    def fail_at_the_second(table: Any, *more: Any) -> Any:
        if table is AuditEvent and (batches.append(table) or len(batches) == 2):
            raise ZeroDivisionError
        return few(table, *more)

    monkeypatch.setattr(retention, "_remove_few", fail_at_the_second)
    assert removed(app) == {"audit_events": 2, "failed": 1}


class PowerCut(BaseException):
    """Nobody catches it."""


def test_a_run_that_is_cut_off_half_way_is_gone_on_with_by_the_next(
    app: Flask, client: Client, alice: Person, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a power cut leaves half a person, or old rows that no later run finds."""
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    grow(app, rows, 5)
    client.bind(alice)
    rows("UPDATE users SET erase_after = now()")
    before, few, batches = read_tables(rows), retention._remove_few, []

    def cut(*_: Any) -> None:
        raise PowerCut

    def cut_at_the_second(table: Any, *more: Any) -> Any:
        if table is AuditEvent and (batches.append(table) or len(batches) == 2):
            raise PowerCut
        return few(table, *more)

    with monkeypatch.context() as patch:
        patch.setattr(erasure, "_clear_trail", cut)
        with pytest.raises(PowerCut):
            removed(app)
    assert changes(before, read_tables(rows)) == {}
    with monkeypatch.context() as patch:
        patch.setattr(retention, "_remove_few", cut_at_the_second)
        with pytest.raises(PowerCut):
            removed(app)
    assert (rows.count("users"), rows.count("audit_events", "action = 'old'")) == (0, 3)
    assert removed(app) == {"audit_events": 3}


@pytest.mark.real_commits
def test_two_runs_at_once_share_the_work(
    app: Flask, client: Client, alice: Person, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a run that lasts longer than a day fails the next one, or counts twice."""
    monkeypatch.setattr(retention, "AT_ONCE", 5)
    grow(app, rows, 60)
    client.bind(alice)
    rows("UPDATE users SET erase_after = now()")
    runs = run_concurrently([lambda: removed(app)] * 4)
    assert sum(one.get("audit_events", 0) for one in runs) == 60
    assert sum(one.get("closed_accounts", 0) for one in runs) == 1
    assert rows.count("audit_events", "action = 'user.erased'") == 1
    assert rows.count("users") == 0


# The audit trail


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
def test_without_retention_the_trail_is_as_it_was_written(
    app: Flask, rows: Reader, change: str
) -> None:
    """Otherwise whoever did something can take its record back."""
    note(app, rows, "acme", 2000)
    with pytest.raises(DBAPIError, match="audit_events is append only"):
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
def test_retention_itself_passes_the_trail_with_what_is_due_only(
    app: Flask, rows: Reader, change: str
) -> None:
    """Otherwise its setting is a key to everything."""
    note(app, rows, "acme", 2000)
    allow = "SELECT set_config('wxpass.retention', 'on', true)"
    with pytest.raises(DBAPIError, match="audit_events is append only"):
        rows(f"{allow}; {change}")


def test_retention_leaves_the_trail_closed_behind_it(app: Flask, rows: Reader) -> None:
    """Otherwise whatever runs after it in the same connection may pass as well."""
    grow(app, rows, 1)
    removed(app)
    grow(app, rows, 1)
    with pytest.raises(DBAPIError, match="audit_events is append only"):
        rows("DELETE FROM audit_events WHERE action = 'old'")


def test_the_trail_is_read_by_tenant_newest_first(
    app: Flask, client: Client, alice: Person, rows: Reader, run: Run
) -> None:
    """Otherwise a tenant cannot answer who did what, or reads its neighbour's."""
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


def test_the_trail_names_nobody_but_by_ids(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise what outlives an erasure is personal after all."""
    enter_user(app, account="alice", password=GOOD_PASSWORD, phone="13800138001")
    login = client.bind(alice)
    client.post("profile", login["token"], nickname="Alice Nickname")
    client.send("DELETE", "/v1/me", login["token"])
    client.bind(alice)
    configure(app)
    Portal(client).push(event(OpenID=login["openid"], RevokeInfo="8"))
    told = json.dumps([list(map(str, row)) for row in rows("SELECT * FROM audit_events")])
    for personal in ("13800138001", "Nickname", login["openid"], '"alice"', "138****"):
        assert personal not in told


def test_an_actor_that_is_not_there_cannot_write(app: Flask) -> None:
    """Otherwise nobody can tell people, operators, WeChat and the system apart."""
    refused = pytest.raises(DBAPIError, match="ck_audit_events_actor_kind")
    with refused, app.app_context(), transaction() as db:
        audit.record(db, None, audit.Actor("ghost"), "x", "x")


def test_settings_that_the_law_forbids_are_refused(run: Run, rows: Reader) -> None:
    """Otherwise a tenant keeps its records for a week."""
    for option in ("--audit-days=179", "--grace-days=-1", "--grace-days=91"):
        assert run("tenants", "set", "acme", option).exit_code == 2
    assert run("tenants", "set", "acme", "--grace-days=0").exit_code == 0
    assert rows("SELECT grace_days, audit_days FROM tenants WHERE slug = 'acme'") == [(0, 1095)]


def test_what_operators_leave_goes_when_nobody_can_use_it(app: Flask, rows: Reader) -> None:
    """Otherwise sign-ins, files of people and sealed answers pile up."""
    ops = signed_in(app, "ops@wxpass.example", "platform")
    invite = {"email": "new@wxpass.example", "role": "platform"}
    assert create(ops, "/operators", invite).status_code == 201
    with app.app_context():
        file = read_user_file(b"account,phone\nerin,13800138055\n")
        preview_import(audit.OPERATOR, tenant_id_of("acme"), file)
    tables = ("operator_sessions", "people_imports", "idempotent_requests")
    assert removed(app) == {}
    rows("UPDATE people_imports SET expires_at = now() - interval '1 minute'")
    rows("UPDATE idempotent_requests SET asked_at = now() - interval '25 hours'")
    make_old(rows, "operator_sessions", 91)
    rows("UPDATE operator_sessions SET ended_at = now() - interval '91 days', end_reason = 'x'")
    assert removed(app) == dict.fromkeys(tables, 1)
    assert [rows.count(table) for table in tables] == [0, 0, 0]

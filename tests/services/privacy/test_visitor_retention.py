"""Retention erases visitors who have not logged in for the period set by the tenant."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from click.testing import Result
from flask import Flask

from app.services.retention import batches
from app.services.retention.run import run_retention
from tests.fixtures.operators import signed_in
from tests.fixtures.personas import (
    ACME_SHOP,
    ACME_STAFF,
    GLOBEX_LIFE,
    Client,
    Person,
    Reader,
    WeChat,
    enter_user,
    failure,
)
from tests.fixtures.portal import Portal, configure, event, succeeded
from tests.fixtures.tables import changes, read_tables
from tests.services.login.test_concurrency import run_concurrently

pytestmark = pytest.mark.slow

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    """Return a function that runs a command of the command line interface."""
    runner = app.test_cli_runner()
    return lambda *arguments: runner.invoke(args=list(arguments), catch_exceptions=False)


def run_retention_once(app: Flask) -> dict[str, int]:
    """Run retention. Return the number of deleted rows of each kind, without zeros."""
    with app.app_context():
        return {kind: count for kind, count in run_retention() if count}


def age_identities(rows: Reader, days: float, which: str = "true") -> None:
    """Move creation and last login of identities back by `days`. `which` is an SQL condition."""
    milliseconds = int(timedelta(days=days).total_seconds() * 1000)
    for (old,) in rows(f"SELECT id FROM social_accounts WHERE {which}"):
        new = UUID(int=old.int - (milliseconds << 80))
        rows(
            "SET LOCAL session_replication_role = replica;"
            f" UPDATE social_accounts SET id = '{new}',"
            f" last_login_at = last_login_at - interval '{milliseconds} milliseconds'"
            f" WHERE id = '{old}';"
            f" UPDATE session_keys SET social_account_id = '{new}'"
            f" WHERE social_account_id = '{old}';"
            f" UPDATE login_sessions SET social_account_id = '{new}',"
            " expires_at = expires_at - interval '1 day' WHERE social_account_id ="
            f" '{old}';"
            " SET LOCAL session_replication_role = origin"
        )


@pytest.mark.parametrize("days", [179.9, 180.1])
def test_visitor_is_erased_180_days_after_the_last_login(
    app: Flask, client: Client, alice: Person, bob: Person, rows: Reader, days: float
) -> None:
    """Sessions, session keys and pushes are erased too. A newer visitor and a user are kept."""
    is_due = days > 180
    client.bind(bob)
    login = client.log_in(alice)
    configure(app)
    fields = {"MsgType": "text", "FromUserName": login["openid"], "Content": "hello"}
    assert succeeded(Portal(client).push(event("text", **fields)))
    age_identities(rows, 400, "user_id IS NOT NULL")
    age_identities(rows, days, "user_id IS NULL")
    client.log_in(alice, ACME_STAFF)
    assert run_retention_once(app) == ({"visitors": 1} if is_due else {})
    assert rows("SELECT appid, user_id IS NULL FROM social_accounts ORDER BY 1, 2") == [
        (ACME_SHOP.appid, False),
        *([] if is_due else [(ACME_SHOP.appid, True)]),
        (ACME_STAFF.appid, True),
    ]
    assert rows.count("wechat_pushes", "person_index IS NOT NULL") == (0 if is_due else 1)
    assert run_retention_once(app) == {}


def test_visitor_who_logs_in_again_is_kept_by_retention(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    client.log_in(alice)
    age_identities(rows, 400)
    client.log_in(alice)
    assert run_retention_once(app) == {}
    assert rows.count("social_accounts") == 1


def test_visitors_are_erased_after_the_retention_period_of_their_tenant(
    app: Flask, client: Client, alice: Person, bob: Person, rows: Reader, run: Run
) -> None:
    assert run("tenants", "set", "acme", "--visitor-days", "30").exit_code == 0
    for person in (alice, bob):
        client.log_in(person)
        client.log_in(person, GLOBEX_LIFE)
    age_identities(rows, 31)
    assert run_retention_once(app) == {"visitors": 2}
    assert rows("SELECT DISTINCT appid FROM social_accounts") == [(GLOBEX_LIFE.appid,)]
    erased = "SELECT slug, actor_kind, details FROM audit_events JOIN tenants t ON t.id = tenant_id"
    assert rows(f"{erased} WHERE action = 'visitors.erased'") == [
        ("acme", "system", {"visitors": "2"})
    ]


def test_retention_dry_run_counts_visitors_and_erases_nothing(
    client: Client, alice: Person, bob: Person, rows: Reader, run: Run
) -> None:
    for person in (alice, bob):
        client.log_in(person)
    age_identities(rows, 181)
    run("tenants", "list")  # The first command inserts key proofs.
    before = read_tables(rows)
    assert "visitors\t2" in run("retention", "run", "--dry-run").output.splitlines()
    assert changes(before, read_tables(rows)) == {}
    assert "visitors\t2" in run("retention", "run").output.splitlines()
    assert "visitors\t0" in run("retention", "run").output.splitlines()


def test_retention_erases_visitors_in_batches_with_one_audit_event_each(
    app: Flask, client: Client, wechat: WeChat, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each audit event contains the number of visitors in its batch."""
    monkeypatch.setattr(batches, "AT_ONCE", 3)
    for number in range(7):
        client.log_in(Person(wechat, f"person{number}", f"1380013800{number}"))
    age_identities(rows, 200)
    assert run_retention_once(app) == {"visitors": 7}
    events = rows("SELECT details FROM audit_events WHERE action = 'visitors.erased' ORDER BY id")
    assert events == [({"visitors": "3"},), ({"visitors": "3"},), ({"visitors": "1"},)]
    assert [rows.count(table) for table in ("social_accounts", "session_keys")] == [0, 0]


def test_unbound_identity_is_kept_while_its_session_is_active(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """The last WeChat login may be long ago, because refresh tokens keep users logged in."""
    enter_user(app, account="alice", password="violet-harbour-74")
    client.log_in(alice, account="alice", password="violet-harbour-74")
    login = client.log_in(alice)
    age_identities(rows, 300)
    rows("UPDATE login_sessions SET expires_at = now() + interval '1 hour'")
    token = client.post("unbind", login["token"]).json["token"]
    assert run_retention_once(app) == {}
    assert client.send("GET", "/v1/me/export", token).status_code == 200
    rows("UPDATE login_sessions SET expires_at = now() - interval '1 hour'")
    before = read_tables(rows)
    assert run_retention_once(app) == {"visitors": 1}
    changed = changes(before, read_tables(rows))
    assert "users" not in changed
    # Sessions of the user stay with the user, without the identity.
    assert rows.count("login_sessions", "user_id IS NOT NULL AND social_account_id IS NULL") == 1


# Setting of the retention period


@pytest.mark.parametrize("days", ["0", "-1", "3651", "many"])
def test_tenants_set_command_refuses_visitor_days_out_of_range(
    run: Run, rows: Reader, days: str
) -> None:
    assert run("tenants", "set", "acme", f"--visitor-days={days}").exit_code == 2
    assert rows("SELECT DISTINCT visitor_days FROM tenants") == [(180,)]


@pytest.mark.parametrize("days", [0, -1, 3651, "180", 1.5, True, None])
def test_admin_api_refuses_invalid_visitor_days(app: Flask, rows: Reader, days: Any) -> None:
    ops = signed_in(app, "ops@wxpass.example", "platform")
    refused = ops("PATCH", "/tenants/acme", json={"visitor_days": days})
    assert failure(refused) == (422, "request_invalid")
    assert "visitor_days" in refused.json["errors"]
    assert rows("SELECT DISTINCT visitor_days FROM tenants") == [(180,)]


def test_only_platform_admins_can_change_visitor_days(app: Flask, rows: Reader) -> None:
    ops = signed_in(app, "ops@wxpass.example", "platform")
    changed = ops("PATCH", "/tenants/acme", json={"visitor_days": 90})
    assert (changed.status_code, changed.json["visitor_days"]) == (200, 90)
    listed = ops("GET", "/tenants").json["items"]
    assert [(one["slug"], one["visitor_days"]) for one in listed] == [("acme", 90), ("globex", 180)]
    ann = signed_in(app, "ann@acme.example", "tenant_admin", "acme")
    assert failure(ann("PATCH", "/tenants/acme", json={"visitor_days": 1})) == (403, "role_too_low")
    ((details,),) = rows("SELECT details FROM audit_events WHERE action = 'tenant.changed'")
    assert details == {"before": {"visitor_days": 180}, "after": {"visitor_days": 90}}


# Concurrency


@pytest.mark.real_commits
def test_visitor_who_logs_in_during_retention_is_kept(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """The login belongs to the same visitor or to a new one, and its session is valid."""
    for _ in range(10):
        client.log_in(alice)
        age_identities(rows, 200)
        codes = [alice.wx_login() for _ in range(2)]
        logins: list[Callable[[], Any]] = [
            lambda code=code: Client(app).post("login", code=code) for code in codes
        ]
        *answers, first, second = run_concurrently(
            [*logins, *[lambda: run_retention_once(app)] * 2]
        )
        assert {answer.status_code for answer in answers} == {200}
        assert first.get("failed", 0) + second.get("failed", 0) == 0
        for answer in answers:
            exported = client.send("GET", "/v1/me/export", answer.json["token"])
            assert exported.status_code == 200, exported.text
        assert rows.count("social_accounts") == 1
        assert client.send("DELETE", "/v1/me", answers[0].json["token"]).status_code == 200


@pytest.mark.real_commits
def test_visitor_binding_during_retention_becomes_a_user_or_gets_status_401(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """The binding is refused if retention has already erased the identity."""
    for _ in range(6):
        token, tap = client.log_in(alice)["token"], alice.tap_phone_new()
        age_identities(rows, 200)
        rows("UPDATE login_sessions SET expires_at = now() + interval '1 second'")
        rows("UPDATE session_keys SET asked_at = now()")
        bound, *runs = run_concurrently(
            [
                lambda t=token, tap=tap: Client(app).post("phone", t, **tap),
                *[lambda: run_retention_once(app)] * 2,
            ]
        )
        assert sum(one.get("failed", 0) for one in runs) == 0
        users = rows.count("users")
        assert (bound.status_code, users) in [(200, 1), (401, 0)]
        assert rows.count("social_accounts", "user_id IS NOT NULL") == users
        if users:
            client.send("DELETE", "/v1/me", bound.json["token"])
            rows("UPDATE users SET erase_after = now()")
            assert run_retention_once(app)["closed_accounts"] == 1


@pytest.mark.real_commits
def test_concurrent_retention_runs_erase_each_visitor_once(
    app: Flask, client: Client, wechat: WeChat, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "AT_ONCE", 4)
    for number in range(20):
        client.log_in(Person(wechat, f"person{number}", f"138001380{number:02}"))
    age_identities(rows, 200)
    runs = run_concurrently([lambda: run_retention_once(app)] * 3)
    assert sum(one.get("visitors", 0) for one in runs) == 20
    erased = rows("SELECT sum((details ->> 'visitors')::int) FROM audit_events")
    assert erased == [(20,)]
    assert rows.count("social_accounts") == 0

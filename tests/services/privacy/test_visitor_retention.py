"""Retention erases visitors who have not logged in for as long as their tenant says."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from click.testing import Result
from flask import Flask

from app.services import retention
from app.services.retention import run_retention
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


def let_pass(rows: Reader, days: float, which: str = "true") -> None:
    """Let some identities have been made, and last logged in, so many days ago."""
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
def test_a_visitor_is_erased_180_days_after_the_last_login(
    app: Flask, client: Client, alice: Person, bob: Person, rows: Reader, days: float
) -> None:
    """With sessions, keys and pushes; another visitor and a user stay."""
    is_due = days > 180
    client.bind(bob)
    login = client.log_in(alice)
    configure(app)
    said = {"MsgType": "text", "FromUserName": login["openid"], "Content": "hello"}
    assert succeeded(Portal(client).push(event("text", **said)))
    let_pass(rows, 400, "user_id IS NOT NULL")
    let_pass(rows, days, "user_id IS NULL")
    client.log_in(alice, ACME_STAFF)
    assert removed(app) == ({"visitors": 1} if is_due else {})
    assert rows("SELECT appid, user_id IS NULL FROM social_accounts ORDER BY 1, 2") == [
        (ACME_SHOP.appid, False),
        *([] if is_due else [(ACME_SHOP.appid, True)]),
        (ACME_STAFF.appid, True),
    ]
    assert rows.count("wechat_pushes", "person_index IS NOT NULL") == (0 if is_due else 1)
    assert removed(app) == {}


def test_a_login_in_between_counts(app: Flask, client: Client, alice: Person, rows: Reader) -> None:
    """Since the last login, not since the first."""
    client.log_in(alice)
    let_pass(rows, 400)
    client.log_in(alice)
    assert removed(app) == {}
    assert rows.count("social_accounts") == 1


def test_each_tenant_says_how_long(
    app: Flask, client: Client, alice: Person, bob: Person, rows: Reader, run: Run
) -> None:
    """And erases nothing of its neighbour."""
    assert run("tenants", "set", "acme", "--visitor-days", "30").exit_code == 0
    for person in (alice, bob):
        client.log_in(person)
        client.log_in(person, GLOBEX_LIFE)
    let_pass(rows, 31)
    assert removed(app) == {"visitors": 2}
    assert rows("SELECT DISTINCT appid FROM social_accounts") == [(GLOBEX_LIFE.appid,)]
    erased = "SELECT slug, actor_kind, details FROM audit_events JOIN tenants t ON t.id = tenant_id"
    assert rows(f"{erased} WHERE action = 'visitors.erased'") == [
        ("acme", "system", {"visitors": "2"})
    ]


def test_a_dry_run_counts_them_and_erases_nothing(
    client: Client, alice: Person, bob: Person, rows: Reader, run: Run
) -> None:
    for person in (alice, bob):
        client.log_in(person)
    let_pass(rows, 181)
    run("tenants", "list")  # the first command that runs proves the keys
    before = read_tables(rows)
    assert "visitors\t2" in run("retention", "run", "--dry-run").output.splitlines()
    assert changes(before, read_tables(rows)) == {}
    assert "visitors\t2" in run("retention", "run").output.splitlines()
    assert "visitors\t0" in run("retention", "run").output.splitlines()


def test_they_are_erased_in_small_batches(
    app: Flask, client: Client, wechat: WeChat, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is audited as one event: a tenant may have a million of them."""
    monkeypatch.setattr(retention, "AT_ONCE", 3)
    for number in range(7):
        client.log_in(Person(wechat, f"person{number}", f"1380013800{number}"))
    let_pass(rows, 200)
    assert removed(app) == {"visitors": 7}
    told = rows("SELECT details FROM audit_events WHERE action = 'visitors.erased' ORDER BY id")
    assert told == [({"visitors": "3"},), ({"visitors": "3"},), ({"visitors": "1"},)]
    assert [rows.count(table) for table in ("social_accounts", "session_keys")] == [0, 0]


def test_an_identity_that_was_unbound_just_now_stays_while_its_session_lives(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Its last login by WeChat may be long ago: users stay logged in by refresh tokens."""
    enter_user(app, account="alice", password="violet-harbour-74")
    client.log_in(alice, account="alice", password="violet-harbour-74")
    login = client.log_in(alice)
    let_pass(rows, 300)
    rows("UPDATE login_sessions SET expires_at = now() + interval '1 hour'")
    token = client.post("unbind", login["token"]).json["token"]
    assert removed(app) == {}
    assert client.send("GET", "/v1/me/export", token).status_code == 200
    rows("UPDATE login_sessions SET expires_at = now() - interval '1 hour'")
    before = read_tables(rows)
    assert removed(app) == {"visitors": 1}
    changed = changes(before, read_tables(rows))
    assert "users" not in changed
    # What was done as the user stays the user's, without the identity.
    assert rows.count("login_sessions", "user_id IS NOT NULL AND social_account_id IS NULL") == 1


# The setting


@pytest.mark.parametrize("days", ["0", "-1", "3651", "many"])
def test_the_command_refuses_days_out_of_bounds(run: Run, rows: Reader, days: str) -> None:
    assert run("tenants", "set", "acme", f"--visitor-days={days}").exit_code == 2
    assert rows("SELECT DISTINCT visitor_days FROM tenants") == [(180,)]


@pytest.mark.parametrize("days", [0, -1, 3651, "180", 1.5, True, None])
def test_the_api_refuses_days_out_of_bounds(app: Flask, rows: Reader, days: Any) -> None:
    ops = signed_in(app, "ops@wxpass.example", "platform")
    refused = ops("PATCH", "/tenants/acme", json={"visitor_days": days})
    assert failure(refused) == (422, "request_invalid")
    assert "visitor_days" in refused.json["errors"]
    assert rows("SELECT DISTINCT visitor_days FROM tenants") == [(180,)]


def test_the_api_shows_and_changes_it_for_the_platform_only(app: Flask, rows: Reader) -> None:
    ops = signed_in(app, "ops@wxpass.example", "platform")
    changed = ops("PATCH", "/tenants/acme", json={"visitor_days": 90})
    assert (changed.status_code, changed.json["visitor_days"]) == (200, 90)
    listed = ops("GET", "/tenants").json["items"]
    assert [(one["slug"], one["visitor_days"]) for one in listed] == [("acme", 90), ("globex", 180)]
    ann = signed_in(app, "ann@acme.example", "tenant_admin", "acme")
    assert failure(ann("PATCH", "/tenants/acme", json={"visitor_days": 1})) == (403, "role_too_low")
    ((details,),) = rows("SELECT details FROM audit_events WHERE action = 'tenant.changed'")
    assert details == {"before": {"visitor_days": 180}, "after": {"visitor_days": 90}}


# At the same moment


@pytest.mark.real_commits
def test_a_visitor_who_logs_in_at_the_same_moment_is_kept(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """As they were, or as a new visitor: the login that they were answered is good."""
    for _ in range(10):
        client.log_in(alice)
        let_pass(rows, 200)
        codes = [alice.wx_login() for _ in range(2)]
        acts: list[Callable[[], Any]] = [
            lambda code=code: Client(app).post("login", code=code) for code in codes
        ]
        *answers, first, second = run_concurrently([*acts, *[lambda: removed(app)] * 2])
        assert {answer.status_code for answer in answers} == {200}
        assert first.get("failed", 0) + second.get("failed", 0) == 0
        for answer in answers:
            told = client.send("GET", "/v1/me/export", answer.json["token"])
            assert told.status_code == 200, told.text
        assert rows.count("social_accounts") == 1
        assert client.send("DELETE", "/v1/me", answers[0].json["token"]).status_code == 200


@pytest.mark.real_commits
def test_a_visitor_who_becomes_a_user_at_the_same_moment_is_kept(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """The identity is the user's, or the binding is refused because it has been erased."""
    for _ in range(6):
        token, tap = client.log_in(alice)["token"], alice.tap_phone_new()
        let_pass(rows, 200)
        rows("UPDATE login_sessions SET expires_at = now() + interval '1 second'")
        rows("UPDATE session_keys SET asked_at = now()")
        bound, *runs = run_concurrently(
            [
                lambda t=token, tap=tap: Client(app).post("phone", t, **tap),
                *[lambda: removed(app)] * 2,
            ]
        )
        assert sum(one.get("failed", 0) for one in runs) == 0
        users = rows.count("users")
        assert (bound.status_code, users) in [(200, 1), (401, 0)]
        assert rows.count("social_accounts", "user_id IS NOT NULL") == users
        if users:
            client.send("DELETE", "/v1/me", bound.json["token"])
            rows("UPDATE users SET erase_after = now()")
            assert removed(app)["closed_accounts"] == 1


@pytest.mark.real_commits
def test_two_runs_at_once_share_the_visitors(
    app: Flask, client: Client, wechat: WeChat, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 4)
    for number in range(20):
        client.log_in(Person(wechat, f"person{number}", f"138001380{number:02}"))
    let_pass(rows, 200)
    runs = run_concurrently([lambda: removed(app)] * 3)
    assert sum(one.get("visitors", 0) for one in runs) == 20
    told = rows("SELECT sum((details ->> 'visitors')::int) FROM audit_events")
    assert told == [(20,)]
    assert rows.count("social_accounts") == 0

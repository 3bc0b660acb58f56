"""Session limit: each user has a limited number of active sessions per app, and the oldest end."""

import itertools
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text

from app.clock import now
from app.extensions import db
from app.services.apps.apps import change_app
from app.services.login import login
from app.services.login.fast_statements import READ_STATE, with_session_limit
from app.services.sessions.tokens import token_hash
from tests.fixtures.many_sessions import copied_token, copy_session
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    Client,
    Person,
    Reader,
    enter_user,
    failure,
)
from tests.fixtures.waiting import until_waiting_for_a_lock
from tests.services.login.test_concurrency import run_concurrently

ACTIVE = "user_id IS NOT NULL AND ended_at IS NULL AND refresh_expires_at > now()"
NUMBERS = itertools.count()
CREDENTIALS = {"account": "alice", "password": GOOD_PASSWORD}


def set_limit(app: Flask, limit: Any) -> None:
    """Set the session limit of the shop."""
    with app.app_context():
        change_app(ACME_SHOP.appid, session_limit=limit)


def forbid_general_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the test fail if a login takes the general path."""

    def refuse(*_: Any) -> Any:
        raise AssertionError("the general path")

    monkeypatch.setattr(login, "_general_login", refuse)


def test_default_session_limit_is_fifty_and_the_oldest_session_ends(
    client: Client, alice: Person, rows: Reader
) -> None:
    """The oldest of fifty-one ends with the reason `session_limit`."""
    token = client.bind(alice)["token"]
    copy_session(rows, token, 49)
    assert rows.count("login_sessions", ACTIVE) == 50
    assert client.log_in(alice)["bound"]
    assert rows.count("login_sessions", ACTIVE) == 50
    ended = "SELECT end_reason, token_hash = :oldest FROM login_sessions"
    oldest = copied_token(49)
    found = rows(f"{ended} WHERE ended_at IS NOT NULL", oldest=token_hash(oldest))
    assert found == [("session_limit", True)]
    assert client.me(token).status_code == 200
    assert failure(client.me(oldest)) == (401, "session_revoked")


def test_app_without_a_session_limit_keeps_every_session(
    app: Flask, client: Client, alice: Person, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fast path and the general path end no sessions."""
    set_limit(app, "off")
    copy_session(rows, client.bind(alice)["token"], 99)
    with monkeypatch.context() as patch:
        forbid_general_path(patch)
        client.log_in(alice)
    enter_user(app, **CREDENTIALS)
    client.log_in(alice)
    assert rows.count("login_sessions", ACTIVE) == 102


@pytest.mark.parametrize("limit", [2, 50])
def test_login_takes_the_general_path_only_when_the_session_limit_is_reached(
    limit: int,
    app: Flask,
    client: Client,
    alice: Person,
    rows: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With one session less than the limit, the fast path is sufficient."""
    set_limit(app, limit)
    token = client.bind(alice)["token"]
    copy_session(rows, token, limit - 2)
    general_logins: list[str] = []
    general_login = login._general_login
    monkeypatch.setattr(
        login,
        "_general_login",
        lambda *args: general_logins.append("general") or general_login(*args),
    )
    client.log_in(alice)
    assert not general_logins
    assert rows.count("login_sessions", ACTIVE) == limit
    client.log_in(alice)
    assert general_logins == ["general"]
    assert rows.count("login_sessions", ACTIVE) == limit


def test_session_limit_does_not_count_ended_expired_or_other_apps_sessions(
    app: Flask, client: Client, alice: Person, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_limit(app, 2)
    token = client.bind(alice)["token"]
    club = client.log_in(alice, ACME_CLUB)["token"]
    copy_session(rows, club, 5, "club")
    copy_session(rows, token, 5, "ended", is_ended=True)
    copy_session(rows, token, 5, "expired", days=31)
    forbid_general_path(monkeypatch)
    client.log_in(alice)
    kept = (token, club, copied_token(5, "club"))
    assert [client.me(one).status_code for one in kept] == [
        200,
        200,
        200,
    ]


def test_next_login_after_the_session_limit_is_lowered_ends_excess_sessions(
    app: Flask, client: Client, alice: Person, rows: Reader, statements: list[str]
) -> None:
    """One statement ends thousands of sessions."""
    set_limit(app, "off")
    token = client.bind(alice)["token"]
    copy_session(rows, token, 2000)
    set_limit(app, 5)
    code = alice.wx_login()
    statements.clear()
    assert client.post("login", code=code).json["bound"]
    assert len([one for one in statements if "UPDATE login_sessions" in one]) == 1
    assert rows.count("login_sessions", ACTIVE) == 5
    newest = "SELECT token_hash FROM login_sessions WHERE ended_at IS NULL"
    kept = {bytes(one) for (one,) in rows(newest)}
    copies = {token_hash(copied_token(number)) for number in (1, 2, 3)}
    assert copies < kept


def with_another_wechat(alice: Person) -> Person:
    """Return a person with another WeChat identity and the same phone."""
    return Person(alice.wechat, f"person {next(NUMBERS)}", alice.phone)


def by_phone(client: Client, alice: Person) -> Callable[[], Any]:
    carol = with_another_wechat(alice)
    token, tap = client.log_in(carol)["token"], carol.tap_phone_new()
    return lambda: client.post("phone", token, **tap)


def by_binding(client: Client, alice: Person) -> Callable[[], Any]:
    token = client.log_in(with_another_wechat(alice))["token"]
    return lambda: client.post("bind", token, **CREDENTIALS)


def by_password(client: Client, alice: Person) -> Callable[[], Any]:
    return lambda: client.post("password-login", **CREDENTIALS)


def by_code(client: Client, alice: Person) -> Callable[[], Any]:
    code = alice.wx_login()
    return lambda: client.post("login", code=code)


def by_bind_key(client: Client, alice: Person) -> Callable[[], Any]:
    here = f"/apps/{ACME_SHOP.appid}"
    opened = client.send("POST", f"{here}/uni/openid", json={"code": alice.wx_login()}).json
    body = {"grant_type": "social", "social_key": opened["sessionKey"]}
    return lambda: client.send("POST", f"{here}/oauth/token", json=body)


@pytest.mark.parametrize("kind", [by_code, by_password, by_phone, by_binding, by_bind_key])
def test_every_kind_of_login_enforces_the_session_limit(
    kind: Callable[[Client, Person], Callable[[], Any]],
    app: Flask,
    client: Client,
    alice: Person,
    rows: Reader,
) -> None:
    user_id = enter_user(app, **CREDENTIALS, phone=alice.phone)
    set_limit(app, 3)
    oldest, *others = [client.bind(alice)["token"] for _ in range(3)]
    log_in = kind(client, alice)
    assert log_in().status_code == 200
    assert failure(client.me(oldest)) == (401, "session_revoked")
    assert [client.me(one).status_code for one in others] == [200, 200]
    assert rows("SELECT DISTINCT user_id::text FROM login_sessions WHERE user_id IS NOT NULL") == [
        (user_id,)
    ]


def test_phone_verification_in_a_bound_session_ends_no_other_session(
    app: Flask, client: Client, alice: Person
) -> None:
    set_limit(app, 2)
    tokens = [client.bind(alice)["token"] for _ in range(2)]
    again = client.post("phone", tokens[1], **alice.tap_phone_new())
    assert client.me(again.json["token"]).status_code == 200
    assert client.me(tokens[0]).status_code == 200


@pytest.mark.real_commits
@pytest.mark.parametrize("before", [1, 4, 5])
def test_concurrent_logins_of_several_kinds_stay_within_the_session_limit(
    before: int, app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    enter_user(app, **CREDENTIALS, phone=alice.phone)
    set_limit(app, 5)
    for _ in range(before):
        client.bind(alice)
    kinds = [*[by_code] * 10, *[by_password] * 4, *[by_phone] * 3, *[by_bind_key] * 3]
    logins = [kind(Client(app), alice) for kind in kinds]
    assert {answer.status_code for answer in run_concurrently(logins)} == {200}
    assert rows.count("login_sessions", ACTIVE) == 5


@pytest.mark.real_commits
def test_concurrent_logins_by_code_stay_within_the_session_limit(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """All twenty logins read the sessions before the limit is reached."""
    client.bind(alice)
    set_limit(app, 5)
    logins = [by_code(Client(app), alice) for _ in range(20)]
    assert {answer.status_code for answer in run_concurrently(logins)} == {200}
    assert rows.count("login_sessions", ACTIVE) == 5


@pytest.mark.real_commits
def test_login_counts_a_session_that_was_committed_while_it_waited_for_a_lock(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """The login has read the sessions before the other login, and notices it after the lock."""
    set_limit(app, 2)
    token, code = client.bind(alice)["token"], alice.wx_login()
    url = app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "")
    with ThreadPoolExecutor() as pool, psycopg.connect(url) as other:
        other.execute("UPDATE users SET last_login_at = now()")
        answering = pool.submit(client.post, "login", code=code)
        until_waiting_for_a_lock(rows)
        copy_session(rows, token, 1)
        other.commit()
    assert answering.result().json["bound"] is True
    assert rows.count("login_sessions", ACTIVE) == 2
    assert failure(client.me(copied_token(1))) == (401, "session_revoked"), "it is the oldest"


def test_fast_path_reads_no_more_active_sessions_than_the_session_limit(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Ten thousand ended and ten thousand expired sessions are not read."""
    token = client.bind(alice)["token"]
    copy_session(rows, token, 10_000, "ended", is_ended=True)
    copy_session(rows, token, 10_000, "expired", days=31)
    copy_session(rows, token, 10_000, "active")
    (openid,) = rows("SELECT openid FROM social_accounts")[0]
    plan = explain(app, openid)
    counted = [one for one in nodes(plan) if one.get("Index Name") == "ix_login_sessions_active"]
    assert [one["Actual Rows"] for one in counted] == [50]
    blocks = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    assert blocks < 150, plan


def explain(app: Flask, openid: str) -> dict[str, Any]:
    """Run the reading statement of the fast path and return its query plan."""
    with app.app_context():
        app_id = "SELECT tenant_id FROM wechat_apps WHERE appid = :appid"
        tenant_id = db.session.scalar(text(app_id), {"appid": ACME_SHOP.appid})
        values = {"tenant_id": tenant_id, "appid": ACME_SHOP.appid, "openid": openid}
        values |= {"moment": now()}
        raw = db.session.connection().connection.driver_connection
        find = with_session_limit(READ_STATE, 50)
        result = raw.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {find}", values)
        (plans,) = result.fetchone()
        plans = json.loads(plans) if isinstance(plans, str) else plans
        plan: dict[str, Any] = plans[0]["Plan"]
        return plan


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a node of a query plan and all nodes below it."""
    return [plan, *(node for one in plan.get("Plans", []) for node in nodes(one))]

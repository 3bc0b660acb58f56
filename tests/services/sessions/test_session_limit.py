"""A user keeps a limited number of active sessions in an app; the oldest end."""

import itertools
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text

from app.extensions import db
from app.services.apps.apps import change_app
from app.services.login import fast_path, login
from tests.fixtures.many_sessions import copy_session
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


def general_path_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if a login takes the general path."""

    def refuse(*_: Any) -> Any:
        raise AssertionError("the general path")

    monkeypatch.setattr(login, "_general_login", refuse)


def test_fifty_sessions_are_kept_where_nothing_is_set(
    client: Client, alice: Person, rows: Reader
) -> None:
    """The oldest of fifty-one ends, and its owner is told that it was ended elsewhere."""
    token = client.bind(alice)["token"]
    copy_session(rows, token, 49)
    assert rows.count("login_sessions", ACTIVE) == 50
    assert client.log_in(alice)["bound"]
    assert rows.count("login_sessions", ACTIVE) == 50
    ended = "SELECT end_reason, token_hash = sha256('copy49'::bytea) FROM login_sessions"
    assert rows(f"{ended} WHERE ended_at IS NOT NULL") == [("session_limit", True)]
    assert client.me(token).status_code == 200
    assert failure(client.me("copy49")) == (401, "session_revoked")


def test_off_keeps_every_session(
    app: Flask, client: Client, alice: Person, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither path ends or even counts sessions in an app without a limit."""
    set_limit(app, "off")
    copy_session(rows, client.bind(alice)["token"], 99)
    with monkeypatch.context() as patch:
        general_path_refused(patch)
        client.log_in(alice)
    enter_user(app, **CREDENTIALS)
    client.log_in(alice)
    assert rows.count("login_sessions", ACTIVE) == 102


@pytest.mark.parametrize("limit", [2, 50])
def test_a_login_takes_the_general_path_only_when_the_limit_is_reached(
    limit: int,
    app: Flask,
    client: Client,
    alice: Person,
    rows: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With one session less than the limit the fast path still lets the user in."""
    set_limit(app, limit)
    token = client.bind(alice)["token"]
    copy_session(rows, token, limit - 2)
    took: list[str] = []
    enter = login._general_login
    monkeypatch.setattr(login, "_general_login", lambda *how: took.append("general") or enter(*how))
    client.log_in(alice)
    assert not took
    assert rows.count("login_sessions", ACTIVE) == limit
    client.log_in(alice)
    assert took == ["general"]
    assert rows.count("login_sessions", ACTIVE) == limit


def test_sessions_that_ended_expired_or_are_of_other_apps_do_not_count(
    app: Flask, client: Client, alice: Person, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a session by which the user is logged in to this app takes a place."""
    set_limit(app, 2)
    token = client.bind(alice)["token"]
    club = client.log_in(alice, ACME_CLUB)["token"]
    copy_session(rows, club, 5, "club")
    copy_session(rows, token, 5, "ended", is_ended=True)
    copy_session(rows, token, 5, "expired", days=31)
    general_path_refused(monkeypatch)
    client.log_in(alice)
    assert [client.me(one).status_code for one in (token, club, "club5")] == [200, 200, 200]


def test_a_lower_limit_ends_all_that_are_too_many_with_the_next_login(
    app: Flask, client: Client, alice: Person, rows: Reader, statements: list[str]
) -> None:
    """One statement ends thousands of sessions, and writes the new one."""
    set_limit(app, "off")
    token = client.bind(alice)["token"]
    copy_session(rows, token, 2000)
    set_limit(app, 5)
    code = alice.wx_login()
    statements.clear()
    assert client.post("login", code=code).json["bound"]
    (writing,) = [one for one in statements if "UPDATE login_sessions" in one]
    assert "INSERT INTO login_sessions" in writing
    assert rows.count("login_sessions", ACTIVE) == 5
    newest = "SELECT token_hash FROM login_sessions WHERE ended_at IS NULL"
    kept = {bytes(one) for (one,) in rows(newest)}
    copies = {
        bytes(one)
        for (one,) in rows("SELECT sha256(('copy' || n)::bytea) FROM generate_series(1, 3) AS n")
    }
    assert copies < kept


def another(alice: Person) -> Person:
    """Return a person with another WeChat and the same phone."""
    return Person(alice.wechat, f"person {next(NUMBERS)}", alice.phone)


def phone_bound(client: Client, alice: Person) -> Callable[[], Any]:
    carol = another(alice)
    token, tap = client.log_in(carol)["token"], carol.tap_phone_new()
    return lambda: client.post("phone", token, **tap)


def account_bound(client: Client, alice: Person) -> Callable[[], Any]:
    token = client.log_in(another(alice))["token"]
    return lambda: client.post("bind", token, **CREDENTIALS)


def by_password(client: Client, alice: Person) -> Callable[[], Any]:
    return lambda: client.post("password-login", **CREDENTIALS)


def by_code(client: Client, alice: Person) -> Callable[[], Any]:
    code = alice.wx_login()
    return lambda: client.post("login", code=code)


def traded(client: Client, alice: Person) -> Callable[[], Any]:
    here = f"/apps/{ACME_SHOP.appid}"
    met = client.send("POST", f"{here}/uni/openid", json={"code": alice.wx_login()}).json
    said = {"grant_type": "social", "social_key": met["sessionKey"]}
    return lambda: client.send("POST", f"{here}/oauth/token", json=said)


@pytest.mark.parametrize("kind", [by_code, by_password, phone_bound, account_bound, traded])
def test_every_kind_of_login_keeps_the_limit(
    kind: Callable[[Client, Person], Callable[[], Any]],
    app: Flask,
    client: Client,
    alice: Person,
    rows: Reader,
) -> None:
    """However a session becomes the user's, the oldest of them ends for it."""
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


def test_a_session_of_the_user_needs_no_further_place(
    app: Flask, client: Client, alice: Person
) -> None:
    """Verifying the phone again in a bound session ends no other session."""
    set_limit(app, 2)
    tokens = [client.bind(alice)["token"] for _ in range(2)]
    again = client.post("phone", tokens[1], **alice.tap_phone_new())
    assert client.me(again.json["token"]).status_code == 200
    assert client.me(tokens[0]).status_code == 200


@pytest.mark.real_commits
@pytest.mark.parametrize("before", [1, 4, 5])
def test_twenty_simultaneous_logins_stay_within_the_limit(
    before: int, app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """All are let in, and no more than five sessions are left, whichever path each took."""
    enter_user(app, **CREDENTIALS, phone=alice.phone)
    set_limit(app, 5)
    for _ in range(before):
        client.bind(alice)
    kinds = [*[by_code] * 10, *[by_password] * 4, *[phone_bound] * 3, *[traded] * 3]
    acts = [kind(Client(app), alice) for kind in kinds]
    assert {answer.status_code for answer in run_concurrently(acts)} == {200}
    assert rows.count("login_sessions", ACTIVE) == 5


@pytest.mark.real_commits
def test_twenty_simultaneous_logins_by_code_stay_within_the_limit(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """All twenty see a free place in their first read."""
    client.bind(alice)
    set_limit(app, 5)
    acts = [by_code(Client(app), alice) for _ in range(20)]
    assert {answer.status_code for answer in run_concurrently(acts)} == {200}
    assert rows.count("login_sessions", ACTIVE) == 5


@pytest.mark.real_commits
def test_a_login_that_waited_counts_the_session_that_it_waited_for(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Its statement began before that session was there; the count under the lock sees it."""
    set_limit(app, 2)
    token, code = client.bind(alice)["token"], alice.wx_login()
    url = app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "")
    with ThreadPoolExecutor() as pool, psycopg.connect(url) as other:
        other.execute("UPDATE users SET level = 7")
        answering = pool.submit(client.post, "login", code=code)
        until_waiting_for_a_lock(rows)
        copy_session(rows, token, 1)
        other.commit()
    assert answering.result().json["bound"] is True
    assert rows.count("login_sessions", ACTIVE) == 2
    assert failure(client.me("copy1")) == (401, "session_revoked"), "it is the oldest"


def test_the_first_read_counts_no_further_than_the_limit(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Ten thousand sessions that ended and ten thousand that expired cost it nothing."""
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
    """Run the first read of the fast path and return its plan."""
    with app.app_context():
        app_id = "SELECT tenant_id FROM wechat_apps WHERE appid = :appid"
        tenant_id = db.session.scalar(text(app_id), {"appid": ACME_SHOP.appid})
        values = {"tenant_id": tenant_id, "appid": ACME_SHOP.appid, "openid": openid}
        values |= {"moment": fast_path.now()}
        raw = db.session.connection().connection.driver_connection
        find = fast_path._find(50)
        told = raw.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {find}", values)
        (plans,) = told.fetchone()
        plans = json.loads(plans) if isinstance(plans, str) else plans
        plan: dict[str, Any] = plans[0]["Plan"]
        return plan


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a node of a plan with all below it."""
    return [plan, *(node for one in plan.get("Plans", []) for node in nodes(one))]

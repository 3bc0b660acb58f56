"""Own sessions: listing, ending, refresh retries, and the session limit."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from app.services.apps.apps import change_app
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    GLOBEX_LIFE,
    App,
    Client,
    Person,
    Reader,
    failure,
    wechat_headers,
)
from tests.services.login.test_concurrency import run_concurrently

UNKNOWN = (404, "session_unknown")


def sessions_of(client: Client, token: str) -> list[dict[str, Any]]:
    """Return the user's sessions."""
    answer = client.send("GET", "/v1/me/sessions", token)
    assert answer.status_code == 200, answer.text
    return answer.json


def end(client: Client, token: str, session_id: str = "") -> Any:
    """End one session, or all other sessions if no id is given."""
    return client.send("DELETE", f"/v1/me/sessions{session_id and '/'}{session_id}", token)


def test_session_list_contains_only_the_users_own_sessions_in_the_tenant(
    client: Client, alice: Person, bob: Person
) -> None:
    shop = client.bind(alice)
    path, agent = f"/v1/apps/{ACME_CLUB.appid}/login", {"User-Agent": "MicroMessenger 8"}
    code = {"code": alice.wx_login(ACME_CLUB)}
    assert client.send("POST", path, json=code, headers=agent).status_code == 200
    client.bind(bob)
    client.bind(alice, GLOBEX_LIFE)
    listed = sessions_of(client, shop["token"])
    assert [one["appid"] for one in listed] == [ACME_CLUB.appid, ACME_SHOP.appid]
    assert [one["current"] for one in listed] == [False, True]
    assert (listed[0]["device"], listed[0]["address"]) == ("MicroMessenger 8", "127.0.0.1")
    assert listed[0]["app_name"]
    assert listed[0]["first_seen_at"] <= listed[0]["last_seen_at"]


def test_user_can_end_one_session_or_all_other_sessions(
    client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    lost, here = client.bind(alice)["token"], client.log_in(alice)["token"]
    stranger = client.bind(bob)["token"]
    lost_id = next(one["id"] for one in sessions_of(client, here) if not one["current"])
    assert end(client, here, lost_id).status_code == 204
    assert failure(client.me(lost)) == (401, "session_revoked")
    assert failure(end(client, here, lost_id)) == UNKNOWN
    others = [client.log_in(alice, app)["token"] for app in (ACME_SHOP, ACME_CLUB)]
    assert end(client, here).status_code == 204
    assert {failure(client.me(one)) for one in others} == {(401, "session_revoked")}
    (left,) = sessions_of(client, here)
    assert client.me(stranger).status_code == 200
    assert end(client, here, left["id"]).status_code == 204
    assert failure(client.me(here)) == (401, "session_ended")
    events = rows("SELECT action, subject, ip FROM audit_events WHERE action LIKE 'session%'")
    assert ("session.ended", lost_id, "127.0.0.1") in events
    assert sorted(action for action, _, _ in events) == [
        "session.ended",
        "session.ended",
        "sessions.others_ended",
    ]


@pytest.mark.parametrize("home", [ACME_SHOP, GLOBEX_LIFE], ids=["same_tenant", "neighbour"])
def test_session_of_another_user_cannot_be_ended_and_is_reported_as_unknown(
    client: Client, alice: Person, bob: Person, rows: Reader, home: App
) -> None:
    bobs = client.bind(bob, home)["token"]
    bobs_id = sessions_of(client, bobs)[0]["id"]
    token = client.bind(alice)["token"]
    before = rows("SELECT id, ended_at FROM login_sessions ORDER BY id")
    assert failure(end(client, token, bobs_id)) == UNKNOWN
    assert failure(end(client, token, str(uuid4()))) == UNKNOWN
    assert end(client, token).status_code == 204
    assert rows("SELECT id, ended_at FROM login_sessions ORDER BY id") == before
    assert client.me(bobs).status_code == 200


def test_refresh_repeated_from_another_network_returns_the_same_tokens(
    client: Client, alice: Person, rows: Reader
) -> None:
    """The User-Agents differ only in the network type."""
    old = client.bind(alice)["refresh_token"]
    path, answers = f"/v1/apps/{ACME_SHOP.appid}/refresh", []
    for net, address in (("WIFI", "10.0.0.1"), ("5G", "10.0.0.2")):
        asked: dict[str, Any] = {
            "json": {"refresh_token": old},
            "headers": wechat_headers(ACME_SHOP, net),
            "environ_base": {"REMOTE_ADDR": address},
        }
        answers.append(client.send("POST", path, **asked).json)
    assert answers[0] == answers[1]
    assert client.me(answers[1]["token"]).status_code == 200
    assert rows.count("audit_events", "action = 'session.refresh_token_reused'") == 0


def test_refresh_repeated_by_another_device_ends_the_session(
    client: Client, alice: Person, rows: Reader
) -> None:
    old = client.bind(alice)["refresh_token"]
    path = f"/v1/apps/{ACME_SHOP.appid}/refresh"
    first, second = (client.post("refresh", refresh_token=old) for _ in range(2))
    assert first.json == second.json
    assert client.me(second.json["token"]).status_code == 200
    thief = {"User-Agent": "thief"}
    stolen = client.send("POST", path, json={"refresh_token": old}, headers=thief)
    assert failure(stolen) == (401, "refresh_token_reused")
    assert failure(client.me(first.json["token"])) == (401, "session_revoked")
    assert rows.count("audit_events", "action = 'session.refresh_token_reused'") == 1


def set_limit(app: Flask, most: int) -> None:
    """Set the session limit of the shop."""
    with app.app_context():
        change_app(ACME_SHOP.appid, session_limit=most)


def test_login_above_the_session_limit_ends_the_oldest_session_in_the_app(
    app: Flask, client: Client, alice: Person
) -> None:
    club = client.bind(alice, ACME_CLUB)["token"]
    tokens = [client.bind(alice)["token"]]
    set_limit(app, 2)
    tokens += [client.log_in(alice)["token"] for _ in range(2)]
    assert failure(client.me(tokens[0])) == (401, "session_revoked")
    assert [client.me(token).status_code for token in [*tokens[1:], club]] == [200, 200, 200]
    unbound = client.log_in(Person(alice.wechat, "carol", "13800138001"))["token"]
    tap = Person(alice.wechat, "carol", "13800138001").tap_phone_new()
    assert client.post("phone", unbound, **tap).status_code == 200
    assert failure(client.me(tokens[1])) == (401, "session_revoked"), "binding counts as a login"


@pytest.mark.real_commits
def test_concurrent_logins_stay_within_the_session_limit(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    client.bind(alice)
    set_limit(app, 3)
    codes = [alice.wx_login() for _ in range(12)]
    logins: list[Callable[[], Any]] = [
        lambda code=code: Client(app).post("login", code=code) for code in codes
    ]
    assert {answer.status_code for answer in run_concurrently(logins)} == {200}
    assert rows.count("login_sessions", "ended_at IS NULL") == 3

"""Login sessions: sliding expiry, refresh, logout and disabled users."""

import pytest
from flask import Flask

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


def age(rows: Reader, column: str, by: str) -> None:
    """Move a timestamp column of every session into the past."""
    rows(f"UPDATE login_sessions SET {column} = {column} - interval '{by}'")


def test_request_extends_the_lifetime_of_a_bound_session(
    client: Client, alice: Person, rows: Reader
) -> None:
    token = client.bind(alice)["token"]
    age(rows, "expires_at", "1 hour")
    age(rows, "seen_at", "1 hour")
    assert client.me(token).status_code == 200
    left = rows("SELECT expires_at - now() > interval '119 minutes' FROM login_sessions")
    assert left == [(True,)]


def test_session_last_seen_is_updated_at_most_once_a_minute(
    client: Client, alice: Person, rows: Reader
) -> None:
    token = client.bind(alice)["token"]
    before = rows("SELECT seen_at, xmin::text FROM login_sessions")
    assert client.me(token).status_code == 200
    assert rows("SELECT seen_at, xmin::text FROM login_sessions") == before


def test_unbound_session_expires_two_hours_after_login_even_if_it_is_used(
    client: Client, alice: Person, rows: Reader
) -> None:
    token = client.log_in(alice)["token"]
    age(rows, "expires_at", "1 hour")
    age(rows, "seen_at", "1 hour")
    assert client.post("profile", token, nickname="Alice").status_code == 200
    age(rows, "expires_at", "1 hour")
    refused = client.post("profile", token, nickname="Alice")
    assert failure(refused) == (401, "session_expired")


def test_refresh_renews_an_expired_session_and_replaces_its_token(
    client: Client, alice: Person, rows: Reader
) -> None:
    login = client.bind(alice)
    age(rows, "expires_at", "3 hours")
    assert failure(client.me(login["token"])) == (401, "session_expired")
    refreshed = client.post("refresh", refresh_token=login["refresh_token"]).json
    assert client.me(refreshed["token"]).status_code == 200
    assert refreshed["refresh_token"] != login["refresh_token"]
    assert failure(client.me(login["token"])) == (401, "session_replaced")


@pytest.mark.parametrize("rotations", [1, 3])
def test_refresh_token_reuse_after_grace_period_ends_the_session(
    client: Client, alice: Person, rows: Reader, rotations: int
) -> None:
    """The grace period is 30 seconds."""
    first = latest = client.bind(alice)
    for _ in range(rotations):
        latest = client.post("refresh", refresh_token=latest["refresh_token"]).json
    age(rows, "refreshed_at", "31 seconds")
    reused = client.post("refresh", refresh_token=first["refresh_token"])
    assert failure(reused) == (401, "refresh_token_reused")
    assert failure(client.me(latest["token"])) == (401, "session_revoked")
    ended = client.post("refresh", refresh_token=latest["refresh_token"])
    assert failure(ended) == (401, "session_revoked")
    assert rows.count("audit_events", "action = 'session.refresh_token_reused'") == 1


def test_refresh_token_expires_after_thirty_days(
    client: Client, alice: Person, rows: Reader
) -> None:
    login = client.bind(alice)
    age(rows, "refresh_expires_at", "30 days")
    refused = client.post("refresh", refresh_token=login["refresh_token"])
    assert failure(refused) == (401, "refresh_token_expired")


def test_session_token_and_refresh_token_are_not_interchangeable(
    client: Client, alice: Person
) -> None:
    login = client.bind(alice)
    assert failure(client.me(login["refresh_token"])) == (401, "token_invalid")
    refused = client.post("refresh", refresh_token=login["token"])
    assert failure(refused) == (401, "refresh_token_invalid")


@pytest.mark.parametrize("made_up", ["wxr_", "wxr_" + "A" * 86, "wxr_é" + "A" * 85, "x", "🌸"])
def test_invalid_refresh_token_is_refused_and_ends_no_session(
    client: Client, alice: Person, made_up: str
) -> None:
    token = client.bind(alice)["token"]
    refused = client.post("refresh", refresh_token=made_up)
    assert failure(refused) == (401, "refresh_token_invalid")
    assert client.me(token).status_code == 200


def test_binding_replaces_the_token_of_the_unbound_session(client: Client, alice: Person) -> None:
    """Prevents session fixation."""
    unbound = client.log_in(alice)["token"]
    bound = client.post("phone", unbound, **alice.tap_phone_new()).json
    assert bound["token"] != unbound
    again = client.post("phone", unbound, **alice.tap_phone_new())
    assert failure(again) == (401, "session_replaced")


def test_logout_ends_only_the_callers_session_and_invalidates_its_refresh_token(
    client: Client, alice: Person
) -> None:
    here, there = client.bind(alice), client.log_in(alice)
    assert client.post("logout", here["token"]).status_code == 204
    assert failure(client.me(here["token"])) == (401, "session_ended")
    refused = client.post("refresh", refresh_token=here["refresh_token"])
    assert failure(refused) == (401, "session_ended")
    assert client.me(there["token"]).status_code == 200


def test_logout_all_ends_all_sessions_of_the_user_and_none_of_other_users(
    client: Client, alice: Person, bob: Person
) -> None:
    shop, club = client.bind(alice, ACME_SHOP), client.log_in(alice, ACME_CLUB)
    other = client.bind(bob)
    assert client.post("logout-all", shop["token"]).status_code == 204
    assert failure(client.me(shop["token"])) == (401, "session_ended")
    assert failure(client.me(club["token"])) == (401, "session_revoked")
    assert client.me(other["token"]).status_code == 200


def test_logout_all_ends_the_bind_keys_of_the_user(
    client: Client, alice: Person, bob: Person
) -> None:
    keys = {}
    for person in (alice, bob):
        client.bind(person)
        asked = {"code": person.wx_login()}
        answer = client.send("GET", f"/wx/user/{ACME_SHOP.appid}/login", query_string=asked)
        keys[person.name] = answer.json["data"]["bindKey"]
    assert client.post("logout-all", client.log_in(alice)["token"]).status_code == 204
    trade = {"grant_type": "social", "social_key": keys["alice"]}
    assert client.send("POST", "/oauth/token", json=trade).json["code"] == 401
    trade["social_key"] = keys["bob"]
    assert client.send("POST", "/oauth/token", json=trade).json["code"] == 200


def test_disabled_user_is_refused_for_every_token_and_every_kind_of_login(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    credentials = {"account": "alice", "password": GOOD_PASSWORD}
    enter_user(app, phone="13800138001", **credentials)
    login = client.bind(alice)
    rows("UPDATE users SET status = 'disabled'")
    sessions = rows.count("login_sessions")
    assert failure(client.me(login["token"])) == (403, "user_disabled")
    refreshed = client.post("refresh", refresh_token=login["refresh_token"])
    assert failure(refreshed) == (403, "user_disabled")
    assert failure(client.post("login", code=alice.wx_login())) == (403, "user_disabled")
    assert failure(client.post("password-login", **credentials)) == (403, "user_disabled")
    wrong = client.post("password-login", account="alice", password="guessed")
    assert failure(wrong) == (401, "credentials_wrong"), (
        "the reason is shown only with the right password"
    )
    assert rows.count("login_sessions") == sessions


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("UPDATE wechat_apps SET enabled = false", "app_disabled"),
        ("UPDATE tenants SET status = 'disabled'", "tenant_disabled"),
    ],
)
def test_requests_are_refused_if_the_app_or_the_tenant_is_disabled(
    client: Client, alice: Person, rows: Reader, change: str, code: str
) -> None:
    login = client.bind(alice)
    rows(change)
    assert failure(client.me(login["token"])) == (403, code)
    assert failure(client.post("login", code=alice.wx_login())) == (403, code)
    refreshed = client.post("refresh", refresh_token=login["refresh_token"])
    assert failure(refreshed) == (403, code)


def test_user_can_change_their_own_nickname_and_gender(client: Client, alice: Person) -> None:
    token = client.bind(alice)["token"]
    changed = client.send("PATCH", "/v1/me", token, json={"nickname": "爱丽丝", "gender": 2})
    assert changed.json == client.me(token).json
    assert (changed.json["nickname"], changed.json["gender"]) == ("爱丽丝", 2)

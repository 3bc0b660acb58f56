"""Visitors (identities without a user): export and erasure of their data."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from app.errors import SessionEnded, SessionReplaced, TokenInvalid
from app.services.principals import Device
from app.services.privacy.visitors import erase_visitor
from app.services.sessions.authentication import authenticate
from app.services.sessions.own_sessions import end_all_sessions
from app.services.sessions.sessions import end_session
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    ACME_STAFF,
    GLOBEX_LIFE,
    Client,
    Person,
    Reader,
    enter_user,
    failure,
)
from tests.fixtures.portal import Portal, configure, event, succeeded
from tests.fixtures.tables import GONE, NEW, changes, read_tables
from tests.services.login.test_concurrency import run_concurrently

CREDENTIALS = {"account": "alice", "password": "violet-harbour-74"}
PARTS = ("identities", "sessions", "session_keys", "code_exchanges", "pushes", "audit_events")


def erase(client: Client, token: str) -> Any:
    """Send the request that erases a visitor or closes an account."""
    return client.send("DELETE", "/v1/me", token)


def export(client: Client, token: str) -> dict[str, list[dict[str, Any]]]:
    """Request the export and return the parsed JSON."""
    answer = client.send("GET", "/v1/me/export", token)
    assert answer.status_code == 200, answer.text
    return json.loads(answer.data)


def bind_key(client: Client, person: Person) -> str:
    """Return a bind key: the token of an unbound session, even if the identity has a user."""
    path = f"/apps/{ACME_SHOP.appid}/uni/openid"
    answer = client.send("POST", path, json={"code": person.wx_login()})
    return str(answer.json["sessionKey"])


def unbind_from_user(client: Client, person: Person) -> str:
    """Bind an identity to a user with an account, unbind it, and return the unbound token."""
    login = client.log_in(person, **CREDENTIALS)
    return str(client.post("unbind", login["token"]).json["token"])


# Export


def test_visitor_export_contains_all_identities_of_the_visitor_in_the_tenant(
    app: Flask, client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    """The export contains no data of other visitors or of another tenant."""
    client.log_in(bob)
    client.log_in(alice, GLOBEX_LIFE)
    staff = client.log_in(alice, ACME_STAFF)
    shop = client.log_in(alice)
    client.post("profile", shop["token"], nickname="Alice 小花")
    configure(app)
    wrote = {"MsgType": "text", "FromUserName": shop["openid"], "Content": "what I wrote"}
    assert succeeded(Portal(client).push(event("text", **wrote)))
    exported = export(client, shop["token"])
    assert [part for part, content in exported.items() if content] == list(PARTS)
    assert {one["openid"] for one in exported["identities"]} == {shop["openid"], staff["openid"]}
    assert [one["appid"] for one in exported["sessions"]] == [ACME_STAFF.appid, ACME_SHOP.appid]
    assert "what I wrote" in exported["pushes"][0]["message"]
    assert [(one["action"], one["ip"]) for one in exported["audit_events"]] == [
        ("visitor.exported", "127.0.0.1")
    ]
    text = json.dumps(exported)
    assert shop["token"] not in text
    assert "session_key_sealed" not in text


def test_visitor_export_needs_no_recent_login(client: Client, alice: Person, rows: Reader) -> None:
    token = client.log_in(alice)["token"]
    rows("UPDATE login_sessions SET created_at = now() - interval '11 minutes'")
    assert export(client, token)["identities"]


def test_export_of_an_unbound_identity_contains_no_data_of_its_former_user(
    app: Flask, client: Client, alice: Person
) -> None:
    """A person who used an account of another person must not see data of the account."""
    enter_user(app, **CREDENTIALS, phone="13800138009")
    exported = export(client, unbind_from_user(client, alice))
    assert (exported["users"], exported["phones"]) == ([], [])
    assert [one["user_id"] for one in exported["sessions"]] == [None]
    assert [one["action"] for one in exported["audit_events"]] == ["visitor.exported"]


# Erasure


def test_visitor_is_erased_immediately_in_all_apps_of_the_tenant(
    client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    """The visitor is new at the next login. Data at globex and of other visitors is kept."""
    client.log_in(alice, GLOBEX_LIFE)
    client.log_in(bob)
    before = read_tables(rows)
    staff = client.log_in(alice, ACME_STAFF)["token"]
    first = client.log_in(alice)
    answer = erase(client, first["token"])
    assert (answer.status_code, answer.json["erased"]) == (200, True)
    moment = datetime.fromisoformat(answer.json["erase_after"])
    assert abs(moment - datetime.now(UTC)) < timedelta(minutes=1)
    left = changes(before, read_tables(rows))
    assert left == {"audit_events": dict.fromkeys(left["audit_events"], NEW)}
    erased = "SELECT actor_kind, actor_id, ip, details FROM audit_events"
    assert rows(f"{erased} WHERE action = 'visitor.erased'") == [("user", None, None, {})] * 2
    for token in (first["token"], staff):
        assert failure(client.me(token)) == (401, "token_invalid")
    again = client.log_in(alice)
    assert (again["bound"], again["openid"]) == (False, first["openid"])
    assert export(client, again["token"])["audit_events"][0]["action"] == "visitor.exported"


def test_visitor_erasure_requires_a_login_within_ten_minutes(
    client: Client, alice: Person, rows: Reader
) -> None:
    """The limit is the same as for closing an account."""
    token = client.log_in(alice)["token"]
    rows("UPDATE login_sessions SET created_at = now() - interval '601 seconds'")
    before = read_tables(rows)
    assert failure(erase(client, token)) == (403, "login_too_old")
    assert changes(before, read_tables(rows)) == {}
    rows("UPDATE login_sessions SET created_at = now() - interval '590 seconds'")
    assert erase(client, token).status_code == 200


def ended(client: Client, token: str, rows: Reader) -> str:
    client.post("logout", token)
    return "session_ended"


def expired(client: Client, token: str, rows: Reader) -> str:
    rows("UPDATE login_sessions SET expires_at = now() - interval '1 second'")
    return "session_expired"


def replaced_by_another_token(client: Client, token: str, rows: Reader) -> str:
    rows("UPDATE login_sessions SET token_hash = 'x'")
    return "token_invalid"


@pytest.mark.parametrize("invalidate", [ended, expired, replaced_by_another_token])
@pytest.mark.parametrize(("method", "path"), [("DELETE", "/v1/me"), ("GET", "/v1/me/export")])
def test_invalid_token_can_neither_erase_nor_export_a_visitor(
    client: Client,
    alice: Person,
    rows: Reader,
    invalidate: Callable[[Client, str, Reader], str],
    method: str,
    path: str,
) -> None:
    token = client.log_in(alice)["token"]
    code = invalidate(client, token, rows)
    before = read_tables(rows)
    assert failure(client.send(method, path, token)) == (401, code)
    assert failure(client.send(method, path)) == (401, "token_missing")
    assert changes(before, read_tables(rows)) == {}


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/v1/me"), ("GET", "/v1/me/export")])
def test_unbound_session_of_an_identity_with_a_user_can_neither_erase_nor_export(
    client: Client, alice: Person, rows: Reader, method: str, path: str
) -> None:
    """A bind key proves the WeChat identity, but not that its holder may act as the user."""
    client.bind(alice)
    key = bind_key(client, alice)
    before = read_tables(rows)
    assert failure(client.send(method, path, key)) == (409, "identity_bound")
    assert changes(before, read_tables(rows)) == {}


def test_disabled_user_cannot_be_erased_through_an_unbound_session(
    client: Client, alice: Person, rows: Reader
) -> None:
    client.bind(alice)
    key = bind_key(client, alice)
    rows("UPDATE users SET status = 'disabled'")
    assert failure(erase(client, key)) == (409, "identity_bound")
    assert rows.count("social_accounts") == 1


def test_visitor_erasure_keeps_an_identity_with_the_same_unionid_that_has_a_user(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """The user's identity in another app keeps its session and its session_key."""
    enter_user(app, **CREDENTIALS)
    token = unbind_from_user(client, alice)
    client.log_in(alice, ACME_CLUB)
    ids = dict(rows("SELECT appid, id FROM social_accounts"))
    assert rows.count("social_accounts", "user_id IS NOT NULL AND unionid IS NOT NULL") == 1
    before = read_tables(rows)
    assert erase(client, token).status_code == 200
    changed = changes(before, read_tables(rows))
    assert changed.pop("social_accounts") == {ids[ACME_SHOP.appid]: GONE}
    (key,) = changed.pop("session_keys")
    assert before["session_keys"][key]["social_account_id"] == ids[ACME_SHOP.appid]
    touched = {before["login_sessions"][one]["appid"] for one in changed.pop("login_sessions")}
    assert touched == {ACME_SHOP.appid}
    assert set(changed) == {"audit_events", "code_exchanges"}


def test_erasure_of_an_unbound_identity_keeps_audit_events_and_sessions_of_its_former_user(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """An attacker with a stolen password must not be able to erase the evidence."""
    user = enter_user(app, **CREDENTIALS)
    token = unbind_from_user(client, alice)
    sessions = rows("SELECT id, ip, device FROM login_sessions WHERE user_id IS NOT NULL")
    client.log_in(alice, **CREDENTIALS)
    again = client.post("unbind", client.log_in(alice)["token"]).json["token"]
    audit_log = (
        "SELECT action, actor_id::text, ip FROM audit_events"
        " WHERE action LIKE 'social_account.%' ORDER BY id"
    )
    before = rows(audit_log)
    assert {one[1:] for one in before} == {(user, "127.0.0.1")}
    assert token != again
    theirs = "SELECT id, user_id, ip, device, end_reason FROM login_sessions WHERE user_id = :user"
    kept = rows(f"{theirs} ORDER BY id", user=user)
    assert len(kept) > len(sessions)
    assert erase(client, again).status_code == 200
    assert rows(audit_log) == before
    assert rows(f"{theirs} ORDER BY id", user=user) == kept
    assert rows.count("login_sessions", "social_account_id IS NOT NULL") == 0
    assert rows.count("login_sessions", "user_id IS NULL") == 0


def test_visitor_erasure_and_export_do_not_match_unionids_of_another_tenant(
    client: Client, alice: Person, rows: Reader
) -> None:
    """Two tenants could use the same Open Platform account, and so have equal unionids."""
    there = client.log_in(alice, GLOBEX_LIFE)
    here = client.log_in(alice)
    rows("UPDATE social_accounts SET unionid = 'the-same'")
    assert there["openid"] not in json.dumps(export(client, here["token"]))
    assert erase(client, here["token"]).status_code == 200
    assert rows("SELECT openid FROM social_accounts") == [(there["openid"],)]


def test_visitor_without_a_unionid_does_not_match_other_visitors_without_one(
    client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    client.log_in(bob)
    token = client.log_in(alice)["token"]
    rows("UPDATE social_accounts SET unionid = NULL")
    assert len(export(client, token)["identities"]) == 1
    assert erase(client, token).status_code == 200
    assert rows.count("social_accounts") == 1


def test_erasure_request_of_a_user_starts_the_grace_period(
    client: Client, alice: Person, rows: Reader
) -> None:
    answer = erase(client, client.bind(alice)["token"])
    assert (answer.status_code, answer.json["erased"]) == (200, False)
    assert rows.count("users", "erase_after IS NOT NULL") == 1


def test_visitor_erasure_fails_if_the_session_ends_during_the_request(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    token = client.log_in(alice)["token"]
    with app.app_context():
        principal = authenticate(token)
        end_session(principal)
        with pytest.raises(SessionEnded):
            erase_visitor(principal)
        assert rows.count("social_accounts") == 1
        client.log_in(alice)
        rows("UPDATE login_sessions SET token_hash = decode(md5(id::text), 'hex')")
        rows("UPDATE login_sessions SET ended_at = NULL, end_reason = NULL")
        with pytest.raises(SessionReplaced):
            erase_visitor(principal)
        rows("DELETE FROM login_sessions")
        with pytest.raises(TokenInvalid):
            erase_visitor(principal)
    assert rows.count("social_accounts") == 1


def test_logout_everywhere_also_ends_unbound_sessions_of_the_identity(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    user = client.bind(alice)
    key = bind_key(client, alice)
    with app.app_context():
        end_all_sessions(authenticate(user["token"]), Device(None, None))
    assert failure(erase(client, key)) == (401, "session_revoked")
    assert rows.count("social_accounts") == 1


# Concurrency


@pytest.mark.real_commits
def test_concurrent_erasure_requests_erase_a_visitor_once(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    for _ in range(4):
        client.log_in(alice, ACME_STAFF)
        tokens = [client.log_in(alice)["token"] for _ in range(2)]
        answers = run_concurrently([lambda t=token: erase(Client(app), t) for token in tokens * 2])
        assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
        assert rows.count("social_accounts") == 0
        assert rows.count("login_sessions") == 0


@pytest.mark.real_commits
def test_binding_concurrent_with_visitor_erasure_creates_a_user_or_finds_the_visitor_erased(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    for _ in range(6):
        token, other = client.log_in(alice)["token"], client.log_in(alice)["token"]
        tap = alice.tap_phone_new()
        erased, bound = run_concurrently(
            [
                lambda t=token: erase(Client(app), t),
                lambda t=other, tap=tap: Client(app).post("phone", t, **tap),
            ]
        )
        if bound.status_code == 200:
            assert failure(erased) == (409, "identity_bound")
            assert client.me(bound.json["token"]).json["phone"] == "+8613800138001"
            assert rows.count("social_accounts", "user_id IS NOT NULL") == 1
            client.send("DELETE", "/v1/me", bound.json["token"])
            rows("UPDATE users SET erase_after = now()")
            app.test_cli_runner().invoke(args=["retention", "run"])
        else:
            assert (erased.status_code, bound.status_code) == (200, 401)
        assert [rows.count(one) for one in ("users", "phones", "social_accounts")] == [0, 0, 0]


@pytest.mark.real_commits
def test_logins_concurrent_with_visitor_erasure_create_at_most_one_new_visitor(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """The session of a login is either erased with the visitor, or valid for a new visitor."""
    for _ in range(6):
        token = client.log_in(alice)["token"]
        codes = [alice.wx_login() for _ in range(3)]
        logins = [lambda code=code: Client(app).post("login", code=code) for code in codes]
        erased, *answers = run_concurrently([lambda t=token: erase(Client(app), t), *logins])
        assert {erased.status_code, *(answer.status_code for answer in answers)} == {200}
        good = [
            one for one in answers if client.post("logout", one.json["token"]).status_code == 204
        ]
        assert rows.count("login_sessions") == len(good)
        assert rows.count("social_accounts") == (1 if good else 0)

"""Consent revocation: the WeChat events and the database rows that they change."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from click.testing import Result
from flask import Flask
from structlog.testing import capture_logs

from app.services.pushes.receive import HANDLERS
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    GLOBEX_LIFE,
    Client,
    Person,
    Reader,
    enter_user,
)
from tests.fixtures.portal import OPENID, REVOKE, Portal, configure, event, succeeded
from tests.fixtures.tables import GONE, NEW, Tables, changes, read_tables
from tests.services.login.test_concurrency import run_concurrently

CANCEL, MODIFIED = "user_authorization_cancellation", "user_info_modified"
AVATAR = "https://example.com/alice.png"
NO_PROFILE = {"nickname": None, "avatar_url": None}
PASSWORD = {"account": "alice", "password": GOOD_PASSWORD}

Run = Callable[..., Result]


class KnownUser:
    """A user of an app with nickname, avatar and phone number, and the ids of the user's rows."""

    def __init__(self, client: Client, person: Person, rows: Reader, app: Any = ACME_SHOP) -> None:
        self.login = client.bind(person, app)
        named = {"nickname": person.name, "avatar_url": AVATAR.replace("alice", person.name)}
        assert client.post("profile", self.login["token"], app, **named).status_code == 200
        self.token, self.openid = self.login["token"], self.login["openid"]
        self.user = UUID(self.login["user"]["id"])
        ((self.identity, self.phone),) = rows(
            "SELECT s.id, p.id FROM social_accounts s"
            " JOIN phones p ON p.tenant_id = s.tenant_id AND p.user_id = s.user_id"
            " WHERE s.appid = :appid AND s.openid = :openid",
            appid=app.appid,
            openid=self.openid,
        )


@pytest.fixture
def portal(app: Flask, client: Client) -> Portal:
    """Return a portal that sends pushes to acme's shop, with the push secrets set on both sides."""
    configure(app)
    return Portal(client)


@pytest.fixture
def run(app: Flask) -> Run:
    """Return a function that runs a command of the command line interface."""
    runner = app.test_cli_runner()
    return lambda *arguments: runner.invoke(args=list(arguments), catch_exceptions=False)


@pytest.fixture
def known(client: Client, alice: Person, bob: Person, rows: Reader) -> KnownUser:
    """Return Alice as a user of the shop. Bob uses the shop too, and Alice also uses globex."""
    KnownUser(client, bob, rows)
    KnownUser(client, alice, rows, GLOBEX_LIFE)
    return KnownUser(client, alice, rows)


def receive_twice(portal: Portal, rows: Reader, **fields: Any) -> tuple[dict[str, Any], Tables]:
    """Receive an event twice, and check that the repetition changes nothing.

    Return the changes that the first delivery made, without those of the table `wechat_pushes`,
    and the content of all tables.
    """
    message, before = event(fields.pop("Event", REVOKE), **fields), read_tables(rows)
    assert succeeded(portal.push(message))
    after = read_tables(rows)
    assert succeeded(portal.push(message)), "the repetition is accepted"
    assert changes(after, read_tables(rows)) == {}
    changed = changes(before, after)
    assert set(changed.pop("wechat_pushes").values()) == {NEW}
    return changed, after


def take_audit_events(changed: dict[str, Any], after: Tables) -> list[tuple[Any, ...]]:
    """Remove new audit events from `changed`. Return their actor, action, subject and details."""
    events = changed.pop("audit_events", {})
    added = [after["audit_events"][key] for key, what in sorted(events.items()) if what is NEW]
    return [(one["actor_kind"], one["action"], one["subject"], one["details"]) for one in added]


def identity_details(known: KnownUser, **more: str) -> dict[str, str]:
    """Return the audit details that identify a user's identity."""
    return {"appid": ACME_SHOP.appid, "social_account": str(known.identity), **more}


# user_authorization_revoke


@pytest.mark.parametrize("number", ["6", "19", "20"])
def test_profile_revocation_deletes_nickname_and_avatar_and_keeps_other_data(
    portal: Portal, rows: Reader, known: KnownUser, number: str
) -> None:
    changed, after = receive_twice(portal, rows, OpenID=known.openid, RevokeInfo=number)
    assert take_audit_events(changed, after) == [
        ("wechat", "consent.withdrawn", str(known.user), identity_details(known, withdrawn=number))
    ]
    assert changed == {
        "social_accounts": {known.identity: NO_PROFILE},
        "users": {known.user: NO_PROFILE},
    }


def test_phone_revocation_deletes_the_number_so_that_it_no_longer_finds_the_user(
    portal: Portal, client: Client, rows: Reader, known: KnownUser, bob: Person
) -> None:
    changed, after = receive_twice(portal, rows, OpenID=known.openid, RevokeInfo="8")
    assert take_audit_events(changed, after) == [
        ("wechat", "consent.withdrawn", str(known.user), identity_details(known, withdrawn="8"))
    ]
    assert changed == {"phones": {known.phone: GONE}}
    assert client.me(known.token).json["phone"] is None
    carol = Person(bob.wechat, "carol", "13800138001")
    assert client.bind(carol)["user"]["id"] != str(known.user)


def test_phone_revocation_deletes_the_verified_number_of_an_unbound_session(
    portal: Portal, client: Client, alice: Person, rows: Reader
) -> None:
    base = f"/apps/{ACME_SHOP.appid}/uni"
    opened = client.send("POST", f"{base}/openid", json={"code": alice.wx_login()}).json
    handle = {"sessionKey": opened["sessionKey"]}
    client.send("POST", f"{base}/decrypt", json=handle | alice.tap_phone_old())
    assert rows.count("login_sessions", "verified_number_index IS NOT NULL") == 1
    changed, _ = receive_twice(portal, rows, OpenID=opened["openId"], RevokeInfo="8")
    ((session,),) = rows("SELECT id FROM login_sessions")
    assert changed["login_sessions"] == {session: {"verified_number_index": None}}
    shown = {"openId": opened["openId"], "phoneNumber": alice.phone}
    refused = client.send("POST", f"{base}/login", json=handle | shown).json
    assert refused["code"] == 422


def test_revocation_of_data_that_wxpass_does_not_store_changes_only_the_audit_log(
    portal: Portal, rows: Reader, known: KnownUser
) -> None:
    for number in map(str, (1, 2, 3, 4, 5, 7, 12, 13, 14, 15, 16, 18)):
        changed, after = receive_twice(portal, rows, OpenID=known.openid, RevokeInfo=number)
        assert [one[3]["withdrawn"] for one in take_audit_events(changed, after)] == [number]
        assert changed == {}, number


def test_event_with_known_and_unknown_revoke_info_numbers_processes_the_known_numbers(
    portal: Portal, rows: Reader, known: KnownUser
) -> None:
    with capture_logs() as logs:
        changed, after = receive_twice(portal, rows, OpenID=known.openid, RevokeInfo="8,99,6")
    expected = identity_details(known, withdrawn="6,8,99", unknown="99")
    assert [one[3] for one in take_audit_events(changed, after)] == [expected]
    assert changed == {
        "phones": {known.phone: GONE},
        "social_accounts": {known.identity: NO_PROFILE},
        "users": {known.user: NO_PROFILE},
    }
    assert [log["numbers"] for log in logs if log["event"] == "revoke_info_unknown"] == ["99"]


@pytest.mark.parametrize("number", ["99", "8;6", "eight"])
def test_event_with_only_unknown_revoke_info_numbers_is_kept_for_an_operator(
    portal: Portal, rows: Reader, known: KnownUser, run: Run, number: str
) -> None:
    changed, _ = receive_twice(portal, rows, OpenID=known.openid, RevokeInfo=number)
    assert changed == {}
    assert "failed: RevokeInfoUnknown" in run("pushes", "list", "--unhandled").output
    assert run("pushes", "retry").exit_code == 1


def test_profile_revocation_keeps_data_that_another_identity_of_the_user_provided(
    portal: Portal, client: Client, alice: Person, rows: Reader, known: KnownUser
) -> None:
    token = client.log_in(alice, ACME_CLUB)["token"]
    assert client.post("profile", token, ACME_CLUB, nickname="alice").status_code == 200
    changed, after = receive_twice(portal, rows, OpenID=known.openid, RevokeInfo="6")
    take_audit_events(changed, after)
    assert changed == {
        "social_accounts": {known.identity: NO_PROFILE},
        "users": {known.user: {"avatar_url": None}},
    }


def test_profile_revocation_also_deletes_a_nickname_that_the_user_typed(
    portal: Portal, client: Client, rows: Reader, known: KnownUser
) -> None:
    client.send("PATCH", "/v1/me", known.token, json={"nickname": "Typed"})
    receive_twice(portal, rows, OpenID=known.openid, RevokeInfo="19")
    assert client.me(known.token).json["nickname"] is None


# user_info_modified


def test_profile_taken_down_by_wechat_is_deleted(
    portal: Portal, rows: Reader, known: KnownUser
) -> None:
    changed, after = receive_twice(portal, rows, Event=MODIFIED, OpenID=known.openid)
    assert take_audit_events(changed, after) == [
        ("wechat", "profile.taken_down", str(known.user), identity_details(known))
    ]
    assert changed == {
        "social_accounts": {known.identity: NO_PROFILE},
        "users": {known.user: NO_PROFILE},
    }


# user_authorization_cancellation


def test_cancelled_wechat_account_erases_the_user(
    portal: Portal, client: Client, rows: Reader, known: KnownUser
) -> None:
    before = read_tables(rows)
    changed, after = receive_twice(portal, rows, Event=CANCEL, OpenID=known.openid)
    assert take_audit_events(changed, after) == [
        ("wechat", "social_account.cancelled", str(known.user), identity_details(known)),
        ("wechat", "user.erased", str(known.user), {}),
    ]
    theirs = {
        name: {key for key, row in before[name].items() if known.user in row.values()}
        for name in ("login_sessions", "phones", "users", "social_accounts")
    }
    keys = {k for k, one in before["session_keys"].items() if known.identity in one.values()}
    sessions = {row["session_id"]: key for key, row in before["code_exchanges"].items()}
    exchanges = {sessions[one] for one in theirs["login_sessions"]}
    theirs |= {"session_keys": keys, "code_exchanges": exchanges}
    assert changed == {name: dict.fromkeys(gone, GONE) for name, gone in theirs.items()}
    assert client.me(known.token).status_code == 401


def test_account_cancellation_that_failed_is_processed_by_the_retry_command(
    portal: Portal, rows: Reader, known: KnownUser, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The retry also deletes the message of the push and its index of the openid."""
    with monkeypatch.context() as patch:
        patch.setitem(HANDLERS, CANCEL, fail)
        changed, _ = receive_twice(portal, rows, Event=CANCEL, OpenID=known.openid)
    assert changed == {}
    assert run("pushes", "retry").exit_code == 0
    assert rows.count("users", f"id = '{known.user}'") == 0
    kept = "message_sealed, failure, person_index, handled_at IS NULL"
    assert rows(f"SELECT {kept} FROM wechat_pushes") == [(None, None, None, False)]


def test_cancelled_wechat_account_does_not_erase_a_user_with_account_and_password(
    portal: Portal, client: Client, alice: Person, rows: Reader, app: Flask
) -> None:
    """The account, and the sessions that began with its password, are kept."""
    enter_user(app, **PASSWORD, phone="13800138001")
    known = KnownUser(client, alice, rows)
    mine = client.post("password-login", **PASSWORD).json
    changed, after = receive_twice(portal, rows, Event=CANCEL, OpenID=known.openid)
    assert [one[1] for one in take_audit_events(changed, after)] == ["social_account.cancelled"]
    assert changed["users"] == {known.user: NO_PROFILE}
    assert changed["phones"] == {known.phone: GONE}
    assert changed["social_accounts"] == {known.identity: GONE}
    assert client.me(known.token).status_code == 401
    assert client.me(mine["token"]).status_code == 200


def test_account_cancellation_in_one_app_keeps_the_identity_in_another_app(
    portal: Portal, client: Client, alice: Person, rows: Reader, known: KnownUser
) -> None:
    club = client.log_in(alice, ACME_CLUB)
    assert club["user"]["id"] == str(known.user)
    changed, after = receive_twice(portal, rows, Event=CANCEL, OpenID=known.openid)
    take_audit_events(changed, after)
    assert changed["social_accounts"] == {known.identity: GONE}
    assert set(changed) == {
        *("social_accounts", "users", "login_sessions", "session_keys", "code_exchanges")
    }
    assert client.me(club["token"]).status_code == 200


def test_account_cancellation_erases_an_identity_without_a_user(
    portal: Portal, client: Client, alice: Person, rows: Reader
) -> None:
    login = client.log_in(alice)
    changed, after = receive_twice(portal, rows, Event=CANCEL, OpenID=login["openid"])
    assert [one[1] for one in take_audit_events(changed, after)] == ["social_account.cancelled"]
    assert {name: set(what.values()) for name, what in changed.items()} == {
        name: {GONE}
        for name in ("social_accounts", "login_sessions", "session_keys", "code_exchanges")
    }


# Identification


@pytest.mark.parametrize("name", [REVOKE, CANCEL, MODIFIED])
def test_event_about_an_unknown_openid_changes_nothing(
    portal: Portal, rows: Reader, known: KnownUser, name: str
) -> None:
    """The event counts as processed, so that WeChat does not repeat it."""
    changed, _ = receive_twice(portal, rows, Event=name, OpenID=OPENID, FromUserName=known.openid)
    assert changed == {}
    assert rows.count("wechat_pushes", "handled_at IS NOT NULL AND person_index IS NULL") == 1


@pytest.mark.parametrize("name", [REVOKE, CANCEL, MODIFIED])
def test_event_about_an_openid_of_another_app_changes_nothing(
    portal: Portal, app: Flask, client: Client, rows: Reader, known: KnownUser, name: str
) -> None:
    for other in (ACME_CLUB, GLOBEX_LIFE):
        configure(app, app=other)
        changed, _ = receive_twice(Portal(client, other), rows, Event=name, OpenID=known.openid)
        assert changed == {}


@pytest.mark.parametrize("name", [CANCEL, MODIFIED])
def test_event_without_an_openid_is_kept_with_the_failure_reason(
    portal: Portal, rows: Reader, run: Run, name: str
) -> None:
    changed, _ = receive_twice(portal, rows, Event=name)
    assert changed == {}
    assert rows("SELECT handled_at, failure FROM wechat_pushes") == [(None, "NobodyNamed")]
    assert run("pushes", "retry").exit_code == 1


# Delayed processing


def fail(*_: Any) -> None:
    raise ZeroDivisionError


def receive_and_fail_an_hour_ago(portal: Portal, rows: Reader, **fields: Any) -> None:
    """Receive an event and fail to process it. Then date the receipt back by an hour."""
    message = event(fields.pop("Event", REVOKE), **fields)
    with pytest.MonkeyPatch.context() as failing:
        failing.setitem(HANDLERS, str(message["Event"]), fail)
        assert succeeded(portal.push(message))
    rows("UPDATE wechat_pushes SET received_at = received_at - interval '1 hour'")


@pytest.mark.parametrize("verified_again", [False, True])
def test_delayed_phone_revocation_keeps_a_number_that_was_verified_again_since(
    portal: Portal, rows: Reader, known: KnownUser, run: Run, verified_again: bool, client: Client
) -> None:
    receive_and_fail_an_hour_ago(portal, rows, OpenID=known.openid, RevokeInfo="8")
    rows("UPDATE social_accounts SET created_at = created_at - interval '2 hours'")
    if not verified_again:
        rows("UPDATE phones SET verified_at = verified_at - interval '2 hours'")
    before = read_tables(rows)
    assert run("pushes", "retry").exit_code == 0
    gone = changes(before, read_tables(rows)).get("phones", {})
    assert gone == ({} if verified_again else {known.phone: GONE})
    phone = client.me(known.token).json["phone"]
    assert phone == ("+8613800138001" if verified_again else None)


@pytest.mark.parametrize("name", [REVOKE, CANCEL, MODIFIED])
def test_delayed_event_does_not_apply_to_an_identity_that_was_created_later(
    portal: Portal, rows: Reader, known: KnownUser, run: Run, name: str
) -> None:
    receive_and_fail_an_hour_ago(portal, rows, Event=name, OpenID=known.openid, RevokeInfo="6")
    before = read_tables(rows)
    assert run("pushes", "retry").exit_code == 0
    changed = changes(before, read_tables(rows))
    assert set(changed) <= {"wechat_pushes", "key_proofs"}


def test_delayed_event_about_an_unknown_openid_is_stored_without_the_index_of_the_openid(
    portal: Portal, rows: Reader, run: Run
) -> None:
    """With the index, the openid of an erased person could be found for 30 days."""
    receive_and_fail_an_hour_ago(portal, rows, OpenID=OPENID)
    assert rows.count("wechat_pushes", "person_index IS NOT NULL") == 1
    assert run("pushes", "retry").exit_code == 0
    assert rows("SELECT handled_at IS NULL, person_index FROM wechat_pushes") == [(False, None)]


# Concurrency


@pytest.mark.real_commits
@pytest.mark.parametrize(
    "fields", [{"RevokeInfo": "8"}, {"Event": CANCEL}], ids=["revoke", "cancel"]
)
def test_phone_revocation_or_cancellation_applies_despite_concurrent_logins(
    app: Flask, client: Client, alice: Person, rows: Reader, fields: dict[str, str]
) -> None:
    configure(app)
    known = KnownUser(client, alice, rows)
    codes = [alice.wx_login() for _ in range(6)]
    message = event(fields.get("Event", REVOKE), OpenID=known.openid, RevokeInfo="8")
    requests: list[Callable[[], Any]] = [
        lambda code=code: Client(app).post("login", code=code) for code in codes
    ]
    answers = run_concurrently([*requests, *[lambda: Portal(Client(app)).push(message)] * 3])
    assert {answer.status_code for answer in answers} == {200}
    assert rows.count("phones") == 0
    assert rows("SELECT handled_at IS NULL, failure FROM wechat_pushes") == [(False, None)]
    if "Event" in fields:
        assert rows.count("users") == 0
        assert rows.count("social_accounts", "user_id IS NOT NULL") == 0

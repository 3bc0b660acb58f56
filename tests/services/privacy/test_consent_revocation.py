"""People take back at WeChat's what they allowed; each event is played, and every table read."""

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


class Known:
    """A person whom the shop knows, with nickname, avatar and phone."""

    def __init__(self, client: Client, person: Person, rows: Reader, app: Any = ACME_SHOP) -> None:
        self.login = client.bind(person, app)
        named = {"nickname": person.name, "avatar_url": AVATAR.replace("alice", person.name)}
        assert client.post("profile", self.login["token"], app, **named).status_code == 200
        self.token, self.openid = self.login["token"], self.login["openid"]
        self.user = UUID(self.login["user"]["id"])
        ((self.identity, self.phone),) = rows(
            "SELECT s.id, p.id FROM social_accounts s JOIN phones p ON p.user_id = s.user_id"
            " WHERE s.appid = :appid AND s.openid = :openid",
            appid=app.appid,
            openid=self.openid,
        )


@pytest.fixture
def portal(app: Flask, client: Client) -> Portal:
    """Acme's shop, with the push secrets entered on both sides."""
    configure(app)
    return Portal(client)


@pytest.fixture
def run(app: Flask) -> Run:
    """Run a command."""
    runner = app.test_cli_runner()
    return lambda *arguments: runner.invoke(args=list(arguments), catch_exceptions=False)


@pytest.fixture
def known(client: Client, alice: Person, bob: Person, rows: Reader) -> Known:
    """Alice, known to the shop; and others beside her: bob, and alice at the neighbour."""
    Known(client, bob, rows)
    Known(client, alice, rows, GLOBEX_LIFE)
    return Known(client, alice, rows)


def played(portal: Portal, rows: Reader, **said: Any) -> tuple[dict[str, Any], Tables]:
    """Play an event, twice; say what it changed beside the record of it, and what there is now."""
    message, before = event(said.pop("Event", REVOKE), **said), read_tables(rows)
    assert succeeded(portal.push(message))
    after = read_tables(rows)
    assert succeeded(portal.push(message)), "its repetition"
    assert changes(after, read_tables(rows)) == {}
    changed = changes(before, after)
    assert set(changed.pop("wechat_pushes").values()) == {NEW}
    return changed, after


def audited(changed: dict[str, Any], after: Tables) -> list[tuple[Any, ...]]:
    """Take the audit events out of what has changed, and tell them."""
    events = changed.pop("audit_events", {})
    added = [after["audit_events"][key] for key, what in sorted(events.items()) if what is NEW]
    return [(one["actor_kind"], one["action"], one["subject"], one["details"]) for one in added]


def names(known: Known, **more: str) -> dict[str, str]:
    """Say how the audit trail names a person's identity."""
    return {"appid": ACME_SHOP.appid, "social_account": str(known.identity), **more}


# user_authorization_revoke


@pytest.mark.parametrize("number", ["6", "19", "20"])
def test_who_withdraws_nickname_and_avatar_has_none_and_keeps_the_rest(
    portal: Portal, rows: Reader, known: Known, number: str
) -> None:
    """Otherwise we show what a person took back, or take more than that."""
    changed, after = played(portal, rows, OpenID=known.openid, RevokeInfo=number)
    assert audited(changed, after) == [
        ("wechat", "consent.withdrawn", str(known.user), names(known, withdrawn=number))
    ]
    assert changed == {
        "social_accounts": {known.identity: NO_PROFILE},
        "users": {known.user: NO_PROFILE},
    }


def test_who_withdraws_the_phone_has_none_and_cannot_log_in_by_it(
    portal: Portal, client: Client, rows: Reader, known: Known, bob: Person
) -> None:
    """Otherwise the number stays, or still leads whoever has it to this user."""
    changed, after = played(portal, rows, OpenID=known.openid, RevokeInfo="8")
    assert audited(changed, after) == [
        ("wechat", "consent.withdrawn", str(known.user), names(known, withdrawn="8"))
    ]
    assert changed == {"phones": {known.phone: GONE}}
    assert client.me(known.token).json["phone"] is None
    carol = Person(bob.wechat, "carol", "13800138001")
    assert client.bind(carol)["user"]["id"] != str(known.user)


def test_a_number_that_was_verified_before_binding_is_forgotten_too(
    portal: Portal, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise its blind index stays with a session, and a page trades it for a login."""
    base = f"/apps/{ACME_SHOP.appid}/uni"
    met = client.send("POST", f"{base}/openid", json={"code": alice.wx_login()}).json
    handle = {"sessionKey": met["sessionKey"]}
    client.send("POST", f"{base}/decrypt", json=handle | alice.tap_phone_old())
    assert rows.count("login_sessions", "verified_number_index IS NOT NULL") == 1
    changed, _ = played(portal, rows, OpenID=met["openId"], RevokeInfo="8")
    ((session,),) = rows("SELECT id FROM login_sessions")
    assert changed["login_sessions"] == {session: {"verified_number_index": None}}
    shown = {"openId": met["openId"], "phoneNumber": alice.phone}
    refused = client.send("POST", f"{base}/login", json=handle | shown).json
    assert refused["code"] == 422


@pytest.mark.parametrize("number", list(map(str, (1, 2, 3, 4, 5, 7, 12, 13, 14, 15, 16, 18))))
def test_who_withdraws_what_is_not_kept_changes_nothing_but_the_trail(
    portal: Portal, rows: Reader, known: Known, number: str
) -> None:
    """Otherwise withdrawing the e-mail address takes the phone as well."""
    changed, after = played(portal, rows, OpenID=known.openid, RevokeInfo=number)
    assert [told[3]["withdrawn"] for told in audited(changed, after)] == [number]
    assert changed == {}


def test_several_numbers_in_one_event_are_all_obeyed_and_an_unknown_one_recorded(
    portal: Portal, rows: Reader, known: Known
) -> None:
    """Otherwise one number that WeChat invents next year keeps all others from being obeyed."""
    with capture_logs() as logs:
        changed, after = played(portal, rows, OpenID=known.openid, RevokeInfo="8,99,6")
    told = names(known, withdrawn="6,8,99", unknown="99")
    assert [one[3] for one in audited(changed, after)] == [told]
    assert changed == {
        "phones": {known.phone: GONE},
        "social_accounts": {known.identity: NO_PROFILE},
        "users": {known.user: NO_PROFILE},
    }
    assert [log["numbers"] for log in logs if log["event"] == "revoke_info_unknown"] == ["99"]


@pytest.mark.parametrize("number", ["99", "8;6", "eight"])
def test_what_nobody_understands_is_kept_for_an_operator(
    portal: Portal, rows: Reader, known: Known, run: Run, number: str
) -> None:
    """Otherwise a withdrawal of a new kind is lost before anybody sees it."""
    changed, _ = played(portal, rows, OpenID=known.openid, RevokeInfo=number)
    assert changed == {}
    assert "failed: RevokeInfoUnknown" in run("pushes", "list", "--unhandled").output
    assert run("pushes", "retry").exit_code == 1


def test_what_another_identity_of_theirs_says_too_stays(
    portal: Portal, client: Client, alice: Person, rows: Reader, known: Known
) -> None:
    """Otherwise withdrawing in one mini-program takes what the person gave another."""
    token = client.log_in(alice, ACME_CLUB)["token"]
    assert client.post("profile", token, ACME_CLUB, nickname="alice").status_code == 200
    changed, after = played(portal, rows, OpenID=known.openid, RevokeInfo="6")
    audited(changed, after)
    assert changed == {
        "social_accounts": {known.identity: NO_PROFILE},
        "users": {known.user: {"avatar_url": None}},
    }


def test_what_was_typed_later_goes_too(
    portal: Portal, client: Client, rows: Reader, known: Known
) -> None:
    """Otherwise WeChat's nickname stays where the front end sent it another way."""
    client.send("PATCH", "/v1/me", known.token, json={"nickname": "Typed"})
    played(portal, rows, OpenID=known.openid, RevokeInfo="19")
    assert client.me(known.token).json["nickname"] is None


# user_info_modified


def test_a_profile_that_wechat_took_down_is_shown_no_more(
    portal: Portal, rows: Reader, known: Known
) -> None:
    """Otherwise we go on showing what WeChat found unfit."""
    changed, after = played(portal, rows, Event=MODIFIED, OpenID=known.openid)
    assert audited(changed, after) == [
        ("wechat", "profile.taken_down", str(known.user), names(known))
    ]
    assert changed == {
        "social_accounts": {known.identity: NO_PROFILE},
        "users": {known.user: NO_PROFILE},
    }


# user_authorization_cancellation


def test_who_leaves_wechat_is_erased(
    portal: Portal, client: Client, rows: Reader, known: Known
) -> None:
    """Otherwise the duties of the law are not fulfilled, or somebody else's data goes."""
    before = read_tables(rows)
    changed, after = played(portal, rows, Event=CANCEL, OpenID=known.openid)
    assert audited(changed, after) == [
        ("wechat", "social_account.cancelled", str(known.user), names(known)),
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


def test_a_cancellation_that_failed_is_carried_out_later(
    portal: Portal, rows: Reader, known: Known, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the message that waits for its second try is what keeps the person here."""
    with monkeypatch.context() as patch:
        patch.setitem(HANDLERS, CANCEL, fail)
        changed, _ = played(portal, rows, Event=CANCEL, OpenID=known.openid)
    assert changed == {}
    assert run("pushes", "retry").exit_code == 0
    assert rows.count("users", f"id = '{known.user}'") == 0
    kept = "message_sealed, failure, person_index, handled_at IS NULL"
    assert rows(f"SELECT {kept} FROM wechat_pushes") == [(None, None, None, False)]


def test_who_leaves_wechat_keeps_what_does_not_come_from_it(
    portal: Portal, client: Client, alice: Person, rows: Reader, app: Flask
) -> None:
    """Otherwise somebody's account with the business goes with their WeChat."""
    enter_user(app, **PASSWORD, phone="13800138001")
    known = Known(client, alice, rows)
    mine = client.post("password-login", **PASSWORD).json
    changed, after = played(portal, rows, Event=CANCEL, OpenID=known.openid)
    assert [told[1] for told in audited(changed, after)] == ["social_account.cancelled"]
    assert changed["users"] == {known.user: NO_PROFILE}
    assert changed["phones"] == {known.phone: GONE}
    assert changed["social_accounts"] == {known.identity: GONE}
    assert client.me(known.token).status_code == 401
    assert client.me(mine["token"]).status_code == 200


def test_who_leaves_wechat_in_one_app_is_still_known_in_the_other(
    portal: Portal, client: Client, alice: Person, rows: Reader, known: Known
) -> None:
    """Otherwise an event for one mini-program ends another's logins."""
    club = client.log_in(alice, ACME_CLUB)
    assert club["user"]["id"] == str(known.user)
    changed, after = played(portal, rows, Event=CANCEL, OpenID=known.openid)
    audited(changed, after)
    assert changed["social_accounts"] == {known.identity: GONE}
    assert set(changed) == {
        *("social_accounts", "users", "login_sessions", "session_keys", "code_exchanges")
    }
    assert client.me(club["token"]).status_code == 200


def test_an_identity_that_nobody_has_is_erased_too(
    portal: Portal, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise who never verified a phone stays for ever."""
    met = client.log_in(alice)
    changed, after = played(portal, rows, Event=CANCEL, OpenID=met["openid"])
    assert [told[1] for told in audited(changed, after)] == ["social_account.cancelled"]
    assert {name: set(what.values()) for name, what in changed.items()} == {
        name: {GONE}
        for name in ("social_accounts", "login_sessions", "session_keys", "code_exchanges")
    }


# Whom it is about


@pytest.mark.parametrize("name", [REVOKE, CANCEL, MODIFIED])
def test_whom_we_do_not_know_has_nothing_here(
    portal: Portal, rows: Reader, known: Known, name: str
) -> None:
    """Otherwise WeChat repeats what nobody can do, or the platform's sender is taken for a user."""
    changed, _ = played(portal, rows, Event=name, OpenID=OPENID, FromUserName=known.openid)
    assert changed == {}
    assert rows.count("wechat_pushes", "handled_at IS NOT NULL AND person_index IS NULL") == 1


@pytest.mark.parametrize("name", [REVOKE, CANCEL, MODIFIED])
def test_an_openid_of_another_app_names_nobody(
    portal: Portal, app: Flask, client: Client, rows: Reader, known: Known, name: str
) -> None:
    """Otherwise a mini-program, or a neighbour, withdraws for the people of another."""
    for other in (ACME_CLUB, GLOBEX_LIFE):
        configure(app, app=other)
        changed, _ = played(Portal(client, other), rows, Event=name, OpenID=known.openid)
        assert changed == {}


@pytest.mark.parametrize("name", [CANCEL, MODIFIED])
def test_an_event_that_names_nobody_waits_with_its_reason(
    portal: Portal, rows: Reader, run: Run, name: str
) -> None:
    """Otherwise what WeChat forgot to say is lost, or the sender is taken for the person."""
    changed, _ = played(portal, rows, Event=name)
    assert changed == {}
    assert rows("SELECT handled_at, failure FROM wechat_pushes") == [(None, "NobodyNamed")]
    assert run("pushes", "retry").exit_code == 1


# When it is carried out late


def fail(*_: Any) -> None:
    raise ZeroDivisionError


def came_late(portal: Portal, rows: Reader, **said: Any) -> None:
    """Let an event fail when it comes, an hour ago."""
    message = event(said.pop("Event", REVOKE), **said)
    with pytest.MonkeyPatch.context() as failing:
        failing.setitem(HANDLERS, str(message["Event"]), fail)
        assert succeeded(portal.push(message))
    rows("UPDATE wechat_pushes SET received_at = received_at - interval '1 hour'")


@pytest.mark.parametrize("given_anew", [False, True])
def test_a_number_that_was_given_since_a_late_event_came_stays(
    portal: Portal, rows: Reader, known: Known, run: Run, given_anew: bool, client: Client
) -> None:
    """Otherwise an operator's retry takes a number that the person has allowed again since."""
    came_late(portal, rows, OpenID=known.openid, RevokeInfo="8")
    rows("UPDATE social_accounts SET created_at = created_at - interval '2 hours'")
    if not given_anew:
        rows("UPDATE phones SET verified_at = verified_at - interval '2 hours'")
    before = read_tables(rows)
    assert run("pushes", "retry").exit_code == 0
    gone = changes(before, read_tables(rows)).get("phones", {})
    assert gone == ({} if given_anew else {known.phone: GONE})
    phone = client.me(known.token).json["phone"]
    assert phone == ("+8613800138001" if given_anew else None)


@pytest.mark.parametrize("name", [REVOKE, CANCEL, MODIFIED])
def test_a_late_event_is_not_about_an_identity_that_came_after_it(
    portal: Portal, rows: Reader, known: Known, run: Run, name: str
) -> None:
    """Otherwise who was erased and came back loses again what they gave the second time."""
    came_late(portal, rows, Event=name, OpenID=known.openid, RevokeInfo="6")
    before = read_tables(rows)
    assert run("pushes", "retry").exit_code == 0
    changed = changes(before, read_tables(rows))
    assert set(changed) <= {"wechat_pushes", "key_proofs"}


def test_a_late_event_about_nobody_leaves_no_index(portal: Portal, rows: Reader, run: Run) -> None:
    """Otherwise whoever was erased before it was tried again can be told by it for 30 days."""
    came_late(portal, rows, OpenID=OPENID)
    assert rows.count("wechat_pushes", "person_index IS NOT NULL") == 1
    assert run("pushes", "retry").exit_code == 0
    assert rows("SELECT handled_at IS NULL, person_index FROM wechat_pushes") == [(False, None)]


# All at once


@pytest.mark.real_commits
@pytest.mark.parametrize("said", [{"RevokeInfo": "8"}, {"Event": CANCEL}], ids=["revoke", "cancel"])
def test_events_and_logins_at_once_leave_no_half(
    app: Flask, client: Client, alice: Person, rows: Reader, said: dict[str, str]
) -> None:
    """Otherwise a login at the wrong moment fails, or keeps what was withdrawn."""
    configure(app)
    known = Known(client, alice, rows)
    codes = [alice.wx_login() for _ in range(6)]
    message = event(said.get("Event", REVOKE), OpenID=known.openid, RevokeInfo="8")
    acts: list[Callable[[], Any]] = [
        lambda code=code: Client(app).post("login", code=code) for code in codes
    ]
    answers = run_concurrently([*acts, *[lambda: Portal(Client(app)).push(message)] * 3])
    assert {answer.status_code for answer in answers} == {200}
    assert rows.count("phones") == 0
    assert rows("SELECT handled_at IS NULL, failure FROM wechat_pushes") == [(False, None)]
    if "Event" in said:
        assert rows.count("users") == 0
        assert rows.count("social_accounts", "user_id IS NOT NULL") == 0

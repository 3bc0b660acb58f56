"""Who closes their account is gone after a while, from every table; who comes back is not."""

import io
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from app.errors import SessionRevoked, TokenInvalid
from app.keyring import keyring
from app.models import Tenant
from app.services.database.transactions import transaction
from app.services.passwords.login_throttling import account_key
from app.services.principals import Device
from app.services.privacy.export import export_everything
from app.services.privacy.personal_data import person_index
from app.services.retention import run_retention
from app.services.sessions.authentication import authenticate
from app.services.sessions.own_sessions import end_all_sessions, end_other_sessions
from app.services.social_accounts.accounts import get_social_account, lock_social_account
from app.services.users.account_closure import close_account
from app.services.users.phone_numbers import number_index, phone_number
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    GLOBEX_LIFE,
    Client,
    Person,
    Reader,
    WeChat,
    enter_user,
    failure,
)
from tests.fixtures.portal import Portal, configure, event
from tests.fixtures.tables import Tables, changes, places_of, read_tables
from tests.services.login.test_concurrency import run_concurrently

CREDENTIALS = {"account": "alice.account", "password": GOOD_PASSWORD}
HERE = {"environ_base": {"REMOTE_ADDR": "203.0.113.77"}, "headers": {"User-Agent": "AlicesPhone"}}


def close(client: Client, token: str) -> Any:
    """Close the account."""
    return client.send("DELETE", "/v1/me", token)


def due(rows: Reader) -> None:
    """Let the grace of every closed account be over."""
    rows("UPDATE users SET erase_after = now() - interval '1 second' WHERE erase_after > now()")


def run(app: Flask) -> int:
    """Run retention; say how many people it erased."""
    with app.app_context():
        return dict(run_retention())["closed_accounts"]


def states(rows: Reader) -> list[Any]:
    """Say of each user whether their account is closed."""
    return [one for (one,) in rows("SELECT erase_after IS NOT NULL FROM users ORDER BY id")]


def actions(rows: Reader, pattern: str = "account.%") -> list[str]:
    """List what was audited."""
    told = rows("SELECT action FROM audit_events WHERE action LIKE :p ORDER BY id", p=pattern)
    return [one for (one,) in told]


# Closing, and coming back


def test_closing_ends_every_session_and_says_until_when_it_can_be_taken_back(
    client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise a closed account goes on, or nobody knows for how long."""
    other, key = client.bind(alice)["token"], client.log_in(alice, ACME_CLUB)["token"]
    token = client.log_in(alice)["token"]
    answer = close(client, token)
    assert answer.status_code == 200
    until = datetime.fromisoformat(answer.json["erase_after"])
    assert abs(until - datetime.now(UTC) - timedelta(days=15)) < timedelta(minutes=1)
    for one in (token, other, key):
        assert failure(client.me(one)) == (401, "session_revoked")
    assert rows.count("login_sessions", "ended_at IS NULL") == 0
    assert (states(rows), actions(rows)) == ([True], ["account.closed"])


def test_the_tenant_says_how_long_the_grace_is(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise every tenant has the same, or the neighbour's."""
    rows("UPDATE tenants SET grace_days = 0 WHERE slug = 'acme'")
    close(client, client.bind(alice)["token"])
    close(client, client.bind(alice, GLOBEX_LIFE)["token"])
    assert run(app) == 1
    assert rows("SELECT slug FROM users JOIN tenants t ON t.id = tenant_id") == [("globex",)]


def test_operators_see_which_accounts_are_closed(
    app: Flask, client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    """Otherwise nobody can tell a person who asks whether they will be erased, and when."""
    client.bind(bob)
    answer = close(client, client.bind(alice)["token"]).json
    until = datetime.fromisoformat(answer["erase_after"]).isoformat(timespec="seconds")
    listed = app.test_cli_runner().invoke(args=["users", "list", "--tenant", "acme"]).output
    states_shown = [line.split("\t")[1] for line in listed.splitlines()]
    assert states_shown == ["active", f"active, closed until {until}"]


def by_code(client: Client, alice: Person) -> Any:
    return client.post("login", code=alice.wx_login())


def by_password(client: Client, alice: Person) -> Any:
    return client.post("password-login", **CREDENTIALS)


def by_binding(client: Client, alice: Person) -> Any:
    bob = Person(alice.wechat, "bob", "13800138002")
    return client.post("bind", client.log_in(bob)["token"], **CREDENTIALS)


def by_phone(client: Client, alice: Person) -> Any:
    bob = Person(alice.wechat, "bob", alice.phone)
    return client.post("phone", client.log_in(bob)["token"], **bob.tap_phone_new())


def in_a_sister_app(client: Client, alice: Person) -> Any:
    return client.post("login", app=ACME_CLUB, code=alice.wx_login(ACME_CLUB))


def by_litemall(client: Client, alice: Person) -> Any:
    path = f"/apps/{ACME_SHOP.appid}/wx/auth/login_by_weixin"
    return client.send("POST", path, json={"code": alice.wx_login(), "userInfo": {"nickName": "A"}})


def by_checkbind(client: Client, alice: Person) -> Any:
    path = f"/apps/{ACME_SHOP.appid}/mobileApi/user/checkBind"
    return client.send("GET", path, query_string={"code": alice.wx_login()})


def by_bind_key(client: Client, alice: Person) -> Any:
    base = f"/apps/{ACME_SHOP.appid}"
    handle = client.send("POST", f"{base}/uni/openid", json={"code": alice.wx_login()}).json
    said = {"grant_type": "social", "social_key": handle["sessionKey"]}
    return client.send("POST", f"{base}/oauth/token", json=said)


@pytest.mark.parametrize(
    "log_in",
    [
        *(by_code, by_password, by_binding, by_phone, in_a_sister_app),
        *(by_litemall, by_checkbind, by_bind_key),
    ],
)
def test_a_new_login_within_the_grace_keeps_the_account(
    log_in: Callable[[Client, Person], Any],
    app: Flask,
    client: Client,
    alice: Person,
    rows: Reader,
) -> None:
    """Otherwise somebody who thought better of it is erased, though they logged in."""
    user = enter_user(app, **CREDENTIALS, phone="13800138001")
    close(client, client.bind(alice)["token"])
    assert states(rows) == [True]
    assert log_in(client, alice).status_code == 200
    assert (states(rows), actions(rows)) == ([False], ["account.closed", "account.reopened"])
    assert rows("SELECT subject, ip FROM audit_events WHERE action = 'account.reopened'") == [
        (user, "127.0.0.1")
    ]
    due(rows)
    assert run(app) == 0


def test_a_refused_login_does_not_keep_the_account(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise whoever guesses at a password keeps somebody from being erased."""
    enter_user(app, **CREDENTIALS, phone="13800138001")
    close(client, client.bind(alice)["token"])
    client.post("password-login", **CREDENTIALS | {"password": "wrong-password"})
    rows("UPDATE users SET status = 'disabled'")
    assert failure(by_code(client, alice)) == (403, "user_disabled")
    assert states(rows) == [True]
    due(rows)
    assert run(app) == 1


def test_a_token_that_lay_about_cannot_close_the_account(
    client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise whoever finds a phone, or steals a token, takes a person's account away."""
    token = client.bind(alice)["token"]
    rows("UPDATE login_sessions SET created_at = now() - interval '11 minutes'")
    assert failure(close(client, token)) == (403, "login_too_old")
    assert states(rows) == [False]
    assert client.me(token).status_code == 200
    assert close(client, client.log_in(alice)["token"]).status_code == 200


def test_a_user_who_has_just_been_merged_is_not_closed(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise a request that was on its way when the user became another's ends in our error."""
    enter_user(app, **CREDENTIALS, phone="13800138001")
    bare = client.log_in(alice, ACME_CLUB)["token"]
    with app.app_context():
        principal = authenticate(bare)
        client.bind(alice)
        with pytest.raises(SessionRevoked):
            close_account(principal, Device(None, None))
    assert rows.count("users", "status = 'merged'") == 1
    assert rows.count("users", "erase_after IS NOT NULL") == 0


def refreshed(client: Client, login: dict[str, Any], token: str) -> Any:
    return client.post("refresh", refresh_token=login["refresh_token"])


def with_a_jwt(client: Client, login: dict[str, Any], token: str) -> Any:
    return client.post("jwt", token)


def verified(client: Client, login: dict[str, Any], token: str) -> Any:
    return client.send("GET", "/v1/verify", token)


def exported(client: Client, login: dict[str, Any], token: str) -> Any:
    return client.send("GET", "/v1/me/export", token)


def closed_again(client: Client, login: dict[str, Any], token: str) -> Any:
    return close(client, token)


@pytest.mark.parametrize("go_on", [refreshed, with_a_jwt, verified, exported, closed_again])
def test_what_was_handed_out_before_the_closing_opens_nothing_any_more(
    go_on: Callable[[Client, dict[str, Any], str], Any],
    client: Client,
    alice: Person,
    rows: Reader,
) -> None:
    """Otherwise a token that is left over goes on, or has the account back without a login."""
    login = client.bind(alice)
    close(client, login["token"])
    before = read_tables(rows)
    assert failure(go_on(client, login, login["token"])) == (401, "session_revoked")
    assert changes(before, read_tables(rows)) == {}


def test_a_merge_of_somebody_who_was_erased_is_not_undone(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise an operator brings back to life what was to be forgotten, or breaks on it."""
    enter_user(app, **CREDENTIALS, phone="13800138001")
    bare = client.log_in(alice, ACME_CLUB)["user"]["id"]
    close(client, client.bind(alice)["token"])
    due(rows)
    assert run(app) == 1
    command = ["users", "undo-merge", bare, "--tenant", "acme"]
    refused = app.test_cli_runner().invoke(args=command)
    assert (refused.exit_code, "user_unknown" in refused.output) == (1, True)


def test_who_was_split_off_within_the_grace_is_not_erased_with_the_other(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise a merge that was a mistake takes the wrong person along."""
    enter_user(app, **CREDENTIALS, phone="13800138001")
    bare = client.log_in(alice, ACME_CLUB)["user"]["id"]
    close(client, client.bind(alice)["token"])
    command = ["users", "undo-merge", bare, "--tenant", "acme"]
    # Her identity in the shop has the same unionid, and goes with the one that was merged.
    undone = app.test_cli_runner().invoke(args=command)
    assert undone.exit_code == 0, undone.output
    due(rows)
    assert run(app) == 1
    assert [str(one) for (one,) in rows("SELECT id FROM users")] == [bare]
    assert client.log_in(alice)["user"]["id"] == bare


# After the grace


def story(app: Flask, client: Client, alice: Person) -> tuple[str, set[str]]:
    """Have everything about alice that there can be; give her last token, and what is personal."""
    configure(app)

    def ask(what: str, token: str | None = None, **body: Any) -> Any:
        path = f"/v1/apps/{ACME_SHOP.appid}/{what}"
        return client.send(
            "POST", path, token, json=body, **HERE | {"headers": HERE["headers"].copy()}
        )

    bare = client.log_in(alice, ACME_CLUB)
    client.post("profile", bare["token"], ACME_CLUB, nickname="BareAlice")
    enter_user(app, **CREDENTIALS, phone="13800138001")
    first = ask("login", code=alice.wx_login()).json
    bound = ask("phone", first["token"], **alice.tap_phone_new()).json
    avatar = {"avatar_url": "https://example.com/alices-face.png"}
    ask("profile", bound["token"], nickname="AliceNickname", **avatar)
    ask("refresh", refresh_token=bound["refresh_token"])
    for password in ("wrong-password", CREDENTIALS["password"]):
        ask("password-login", account=CREDENTIALS["account"], password=password)
    portal = Portal(client)
    for said in ({"RevokeInfo": "16"}, {"RevokeInfo": "99"}):
        portal.push(event(OpenID=first["openid"], **said))
    portal.push(event("text", MsgType="text", FromUserName=first["openid"], Content="a word"))
    with app.app_context(), transaction() as db:
        tenant_id = db.query(Tenant.id).filter(Tenant.slug == "acme").scalar()
        indexes = {
            number_index(tenant_id, phone_number("+8613800138001")),
            person_index(ACME_SHOP.appid, first["openid"]),
            person_index(ACME_CLUB.appid, bare["openid"]),
            account_key(tenant_id, CREDENTIALS["account"]),
            keyring().blind_index(f"203.0.113.77\0{CREDENTIALS['account']}", f"tries:{tenant_id}"),
        }
    personal = {first["openid"], bare["openid"], str(first["unionid"]), "13800138001"}
    personal |= {"AliceNickname", "BareAlice", "alices-face", CREDENTIALS["account"]}
    personal |= {"203.0.113.77", "AlicesPhone", *(index.hex() for index in indexes)}
    return client.log_in(alice)["token"], personal


def test_after_the_grace_nothing_personal_is_left_in_any_table(
    app: Flask, client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    """Otherwise we keep what the law and the person told us to forget."""
    client.bind(bob)
    client.bind(alice, GLOBEX_LIFE)
    others = read_tables(rows)
    token, personal = story(app, client, alice)
    user = client.me(token).json["id"]
    assert len(places_of(read_tables(rows), personal)) > 12, "the search is not blind"
    close(client, token)
    due(rows)
    assert run(app) == 1
    left = read_tables(rows)
    ours = without(left, others)
    assert places_of(ours, personal) == set()
    # What there is of them: pseudonyms in the trail, and that pushes were here.
    assert {name for name, content in ours.items() if content} <= {
        *("audit_events", "wechat_pushes", "password_tries", "wechat_access_tokens")
    }
    assert places_of(ours, {user}) == {
        ("audit_events", "actor_id"),
        ("audit_events", "subject"),
        ("audit_events", "details"),
    }
    assert {row["ip"] for row in ours["audit_events"].values()} == {None}
    assert (
        rows.count("wechat_pushes", "message_sealed IS NOT NULL OR person_index IS NOT NULL") == 0
    )
    assert "user.erased" in actions(rows, "user.%")
    untouched = {
        name: what for name, what in changes(others, left).items() if name != "wechat_apps"
    }
    assert all(set(what.values()) == {"new"} for what in untouched.values()), untouched
    assert run(app) == 0


def without(tables: Tables, others: Tables) -> Tables:
    """Leave out the rows that were there before."""
    return {
        name: {key: row for key, row in content.items() if key not in others[name]}
        for name, content in tables.items()
    }


def test_who_was_erased_is_a_stranger(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise somebody who comes back finds what was to be forgotten."""
    before = client.bind(alice)["user"]["id"]
    close(client, client.log_in(alice)["token"])
    due(rows)
    assert run(app) == 1
    back = client.log_in(alice)
    assert (back["bound"], back["user"]) == (False, None)
    assert client.bind(alice)["user"]["id"] != before


def test_an_identity_that_was_unbound_before_goes_too(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise the WeChat identity of somebody who left it, and then us, stays for ever."""
    enter_user(app, **CREDENTIALS, phone="13800138001")
    client.post("unbind", client.bind(alice)["token"])
    close(client, client.post("password-login", **CREDENTIALS).json["token"])
    due(rows)
    assert run(app) == 1
    assert [rows.count(one) for one in ("users", "social_accounts", "login_sessions")] == [0, 0, 0]


def test_an_identity_that_is_somebody_elses_by_now_stays(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise erasing one user takes what belongs to another."""
    enter_user(app, **CREDENTIALS)
    enter_user(app, account="second", password=GOOD_PASSWORD)
    free = client.post("unbind", client.log_in(alice, **CREDENTIALS)["token"]).json["token"]
    now = client.post(
        "bind", client.log_in(alice)["token"], account="second", password=GOOD_PASSWORD
    ).json
    close(client, client.post("password-login", **CREDENTIALS).json["token"])
    due(rows)
    assert run(app) == 1
    assert client.me(now["token"]).json["account"] == "second"
    assert rows.count("social_accounts", "user_id IS NOT NULL") == 1
    assert free


# All at once


@pytest.mark.real_commits
@pytest.mark.parametrize("how", [by_code, by_password])
def test_a_login_against_the_erasure_keeps_all_or_nothing(
    how: Callable[[Client, Person], Any], app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise somebody is told they are logged in, as a user who is being taken apart."""
    for _ in range(6):
        if not rows.count("users", "account IS NOT NULL"):
            enter_user(app, **CREDENTIALS, phone="13800138001")
        close(client, client.bind(alice)["token"])
        due(rows)
        answers = run_concurrently([lambda: how(Client(app), alice), *[lambda: run(app)] * 2])
        told, erased = answers[0], sum(answers[1:])
        if told.status_code == 200 and told.json["bound"]:
            assert client.me(told.json["token"]).status_code == 200
            assert erased == 0
        else:
            assert told.status_code in (200, 401)
            assert erased == 1
        assert rows.count("users") == (1 - erased)


def test_who_was_erased_on_the_way_takes_nothing_out_and_leaves_no_address(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise the trail keeps an address of theirs that nobody blanks any more."""
    token = client.bind(alice)["token"]
    with app.app_context():
        principal = authenticate(token)
        rows("UPDATE users SET erase_after = now()")
        assert run(app) == 1
        here = Device(None, "203.0.113.77")
        with pytest.raises(TokenInvalid):
            export_everything(principal, here)
        end_other_sessions(principal, here)
        end_all_sessions(principal, here)
    assert rows.count("audit_events", "ip IS NOT NULL") == 0


def test_whose_identity_was_erased_on_the_way_is_told_to_log_in_again(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise a page says that a login by WeChat has no WeChat, and nobody knows what to do."""
    token = client.bind(alice)["token"]
    with app.app_context():
        principal = authenticate(token)
        rows("UPDATE users SET erase_after = now()")
        assert run(app) == 1
        with pytest.raises(TokenInvalid):
            get_social_account(principal)
        with pytest.raises(TokenInvalid), transaction() as db:
            lock_social_account(db, principal)


def test_no_log_line_says_whom_it_is_about(
    app: Flask, client: Client, alice: Person, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the logs keep what was taken out of every table."""
    lines = io.StringIO()
    (ours,) = (one for one in logging.getLogger().handlers if type(one) is logging.StreamHandler)
    monkeypatch.setattr(ours, "stream", lines)
    token, personal = story(app, client, alice)
    assert client.send("GET", "/v1/me/export", token).data
    close(client, token)
    due(rows)
    assert run(app) == 1
    assert "revoke_info_unknown" in lines.getvalue()
    assert [one for one in personal if one in lines.getvalue()] == []


@pytest.mark.real_commits
def test_closing_against_logins_leaves_closed_and_logged_out_or_neither(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise an account is erased though its user has logged in after closing it."""
    for _ in range(6):
        token = client.bind(alice)["token"]
        codes = [alice.wx_login() for _ in range(3)]
        logins = [lambda code=code: Client(app).post("login", code=code) for code in codes]
        closed, *answers = run_concurrently(
            [lambda token=token: close(Client(app), token), *logins]
        )
        assert {closed.status_code, *(answer.status_code for answer in answers)} == {200}
        living = rows.count("login_sessions", "ended_at IS NULL")
        assert (states(rows), living > 0) in [([True], False), ([False], True)]


@pytest.mark.real_commits
def test_erasures_merges_and_their_undoing_at_once_leave_nobody_torn(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise an operator and the nightly run between them leave a user without identities."""
    for _ in range(5):
        enter_user(app, **CREDENTIALS, phone="13800138001")
        bare = client.log_in(alice, ACME_CLUB)["user"]["id"]
        close(client, client.bind(alice)["token"])
        due(rows)

        def undo(user_id: str = bare) -> int:
            command = ["users", "undo-merge", user_id, "--tenant", "acme"]
            return int(app.test_cli_runner().invoke(args=command).exit_code)

        undone, *erased = run_concurrently([undo, *[lambda: run(app)] * 2])
        assert sum(erased) == 1
        left = {"users": 1 - undone, "social_accounts": 2 * (1 - undone)}
        assert {name: rows.count(name) for name in left} == left
        if undone == 0:
            assert rows("SELECT status, merged_into_id FROM users") == [("active", None)]
            close(client, client.log_in(alice)["token"])
            due(rows)
            assert run(app) == 1


@pytest.mark.real_commits
def test_a_number_verified_against_the_erasure_is_of_somebody_who_is_there(
    app: Flask, client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    """Otherwise a number leads to a user who is being taken apart."""
    for _ in range(5):
        enter_user(app, **CREDENTIALS, phone="13800138001")
        close(client, client.bind(alice)["token"])
        due(rows)
        tapping = Person(bob.wechat, "bob", alice.phone)
        token, tap = client.log_in(tapping)["token"], tapping.tap_phone_new()
        told, *_ = run_concurrently(
            [
                lambda token=token, tap=tap: Client(app).post("phone", token, **tap),
                *[lambda: run(app)] * 2,
            ]
        )
        assert told.status_code == 200
        assert client.me(told.json["token"]).json["phone"] == "+8613800138001"
        assert [rows.count(one) for one in ("users", "phones")] == [1, 1]
        assert states(rows) == [False]
        rows("UPDATE users SET erase_after = now()")
        assert run(app) == 1


@pytest.mark.real_commits
def test_requests_during_the_erasure_are_refused_and_not_broken(
    app: Flask, client: Client, alice: Person, wechat: WeChat, rows: Reader
) -> None:
    """Otherwise a request that was on its way ends in an error of ours."""
    for _ in range(4):
        token = client.bind(alice)["token"]
        rows("UPDATE users SET erase_after = now()")
        paths = ["/v1/me", "/v1/me/export", "/v1/me/sessions", "/v1/me"]
        asks = [lambda path=path, t=token: Client(app).send("GET", path, t) for path in paths]
        asks.append(lambda t=token: Client(app).post("profile", t, nickname="A"))
        asks.append(lambda t=token: Client(app).post("unbind", t))
        erased, *answers = run_concurrently([lambda: run(app), *asks])
        assert erased == 1
        assert {answer.status_code for answer in answers} <= {200, 401, 409}
        assert rows.count("users") == 0

"""Account closure: grace period, reopening by a login, and erasure from every table."""

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
from app.services.retention.run import run_retention
from app.services.sessions.authentication import authenticate
from app.services.sessions.own_sessions import end_all_sessions, end_other_sessions
from app.services.social_accounts.accounts import get_openid, lock_social_account
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

pytestmark = pytest.mark.slow

CREDENTIALS = {"account": "alice.account", "password": GOOD_PASSWORD}
HERE = {"environ_base": {"REMOTE_ADDR": "203.0.113.77"}, "headers": {"User-Agent": "AlicesPhone"}}


def close(client: Client, token: str) -> Any:
    """Send the request that closes the account of the token's user."""
    return client.send("DELETE", "/v1/me", token)


def end_grace_period(rows: Reader) -> None:
    """End the grace period of every closed account."""
    rows("UPDATE users SET erase_after = now() - interval '1 second' WHERE erase_after > now()")


def run_retention_once(app: Flask) -> int:
    """Run retention and return the number of erased users."""
    with app.app_context():
        return dict(run_retention())["closed_accounts"]


def states(rows: Reader) -> list[Any]:
    """Return for each user, ordered by id, whether the account is closed."""
    return [one for (one,) in rows("SELECT erase_after IS NOT NULL FROM users ORDER BY id")]


def actions(rows: Reader, pattern: str = "account.%") -> list[str]:
    """Return the audit actions that match an SQL LIKE pattern, oldest first."""
    found = rows("SELECT action FROM audit_events WHERE action LIKE :p ORDER BY id", p=pattern)
    return [one for (one,) in found]


# Closing and reopening


def test_account_closure_ends_every_session_and_returns_the_erasure_date(
    client: Client, alice: Person, rows: Reader
) -> None:
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


def test_account_closure_uses_the_grace_period_of_the_tenant(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    rows("UPDATE tenants SET grace_days = 0 WHERE slug = 'acme'")
    close(client, client.bind(alice)["token"])
    close(client, client.bind(alice, GLOBEX_LIFE)["token"])
    assert run_retention_once(app) == 1
    assert rows("SELECT slug FROM users JOIN tenants t ON t.id = tenant_id") == [("globex",)]


def test_users_list_command_shows_closed_accounts_with_the_erasure_date(
    app: Flask, client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    client.bind(bob)
    answer = close(client, client.bind(alice)["token"]).json
    until = datetime.fromisoformat(answer["erase_after"]).isoformat(timespec="seconds")
    listed = app.test_cli_runner().invoke(args=["users", "list", "--tenant", "acme"]).output
    states_shown = [line.split("\t")[1] for line in listed.splitlines()]
    assert states_shown == ["active", f"active, closed until {until}"]


def log_in_by_wechat(client: Client, alice: Person) -> Any:
    return client.post("login", code=alice.wx_login())


def log_in_by_password(client: Client, alice: Person) -> Any:
    return client.post("password-login", **CREDENTIALS)


def bind_by_password(client: Client, alice: Person) -> Any:
    bob = Person(alice.wechat, "bob", "13800138002")
    return client.post("bind", client.log_in(bob)["token"], **CREDENTIALS)


def bind_by_phone(client: Client, alice: Person) -> Any:
    bob = Person(alice.wechat, "bob", alice.phone)
    return client.post("phone", client.log_in(bob)["token"], **bob.tap_phone_new())


def log_in_to_another_app(client: Client, alice: Person) -> Any:
    return client.post("login", app=ACME_CLUB, code=alice.wx_login(ACME_CLUB))


def log_in_by_litemall_dialect(client: Client, alice: Person) -> Any:
    path = f"/apps/{ACME_SHOP.appid}/wx/auth/login_by_weixin"
    return client.send("POST", path, json={"code": alice.wx_login(), "userInfo": {"nickName": "A"}})


def check_binding(client: Client, alice: Person) -> Any:
    path = f"/apps/{ACME_SHOP.appid}/mobileApi/user/checkBind"
    return client.send("GET", path, query_string={"code": alice.wx_login()})


def log_in_by_bind_key(client: Client, alice: Person) -> Any:
    base = f"/apps/{ACME_SHOP.appid}"
    handle = client.send("POST", f"{base}/uni/openid", json={"code": alice.wx_login()}).json
    body = {"grant_type": "social", "social_key": handle["sessionKey"]}
    return client.send("POST", f"{base}/oauth/token", json=body)


@pytest.mark.parametrize(
    "log_in",
    [
        *(
            log_in_by_wechat,
            log_in_by_password,
            bind_by_password,
            bind_by_phone,
            log_in_to_another_app,
        ),
        *(log_in_by_litemall_dialect, check_binding, log_in_by_bind_key),
    ],
)
def test_login_within_the_grace_period_reopens_the_account(
    log_in: Callable[[Client, Person], Any],
    app: Flask,
    client: Client,
    alice: Person,
    rows: Reader,
) -> None:
    user = enter_user(app, **CREDENTIALS, phone="13800138001")
    close(client, client.bind(alice)["token"])
    assert states(rows) == [True]
    assert log_in(client, alice).status_code == 200
    assert (states(rows), actions(rows)) == ([False], ["account.closed", "account.reopened"])
    assert rows("SELECT subject, ip FROM audit_events WHERE action = 'account.reopened'") == [
        (user, "127.0.0.1")
    ]
    end_grace_period(rows)
    assert run_retention_once(app) == 0


def test_refused_login_does_not_reopen_a_closed_account(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    enter_user(app, **CREDENTIALS, phone="13800138001")
    close(client, client.bind(alice)["token"])
    client.post("password-login", **CREDENTIALS | {"password": "wrong-password"})
    rows("UPDATE users SET status = 'disabled'")
    assert failure(log_in_by_wechat(client, alice)) == (403, "user_disabled")
    assert states(rows) == [True]
    end_grace_period(rows)
    assert run_retention_once(app) == 1


def test_session_older_than_ten_minutes_cannot_close_the_account(
    client: Client, alice: Person, rows: Reader
) -> None:
    token = client.bind(alice)["token"]
    rows("UPDATE login_sessions SET created_at = now() - interval '11 minutes'")
    assert failure(close(client, token)) == (403, "login_too_old")
    assert states(rows) == [False]
    assert client.me(token).status_code == 200
    assert close(client, client.log_in(alice)["token"]).status_code == 200


def test_account_closure_fails_if_the_user_was_merged_during_the_request(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    enter_user(app, **CREDENTIALS, phone="13800138001")
    bare = client.log_in(alice, ACME_CLUB)["token"]
    with app.app_context():
        principal = authenticate(bare)
        client.bind(alice)
        with pytest.raises(SessionRevoked):
            close_account(principal, Device(None, None))
    assert rows.count("users", "status = 'merged'") == 1
    assert rows.count("users", "erase_after IS NOT NULL") == 0


def refresh(client: Client, login: dict[str, Any], token: str) -> Any:
    return client.post("refresh", refresh_token=login["refresh_token"])


def request_jwt(client: Client, login: dict[str, Any], token: str) -> Any:
    return client.post("jwt", token)


def verify(client: Client, login: dict[str, Any], token: str) -> Any:
    return client.send("GET", "/v1/verify", token)


def request_export(client: Client, login: dict[str, Any], token: str) -> Any:
    return client.send("GET", "/v1/me/export", token)


def close_again(client: Client, login: dict[str, Any], token: str) -> Any:
    return close(client, token)


@pytest.mark.parametrize(
    "request_again", [refresh, request_jwt, verify, request_export, close_again]
)
def test_tokens_issued_before_the_account_closure_are_refused(
    request_again: Callable[[Client, dict[str, Any], str], Any],
    client: Client,
    alice: Person,
    rows: Reader,
) -> None:
    login = client.bind(alice)
    close(client, login["token"])
    before = read_tables(rows)
    assert failure(request_again(client, login, login["token"])) == (401, "session_revoked")
    assert changes(before, read_tables(rows)) == {}


def test_merge_of_an_erased_user_cannot_be_undone(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    enter_user(app, **CREDENTIALS, phone="13800138001")
    bare = client.log_in(alice, ACME_CLUB)["user"]["id"]
    close(client, client.bind(alice)["token"])
    end_grace_period(rows)
    assert run_retention_once(app) == 1
    command = ["users", "undo-merge", bare, "--tenant", "acme"]
    refused = app.test_cli_runner().invoke(args=command)
    assert (refused.exit_code, "user_unknown" in refused.output) == (1, True)


def test_user_restored_by_undo_merge_within_the_grace_period_is_not_erased(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    enter_user(app, **CREDENTIALS, phone="13800138001")
    bare = client.log_in(alice, ACME_CLUB)["user"]["id"]
    close(client, client.bind(alice)["token"])
    command = ["users", "undo-merge", bare, "--tenant", "acme"]
    # The identity in the shop has the same unionid and moves back to the merged user as well.
    undone = app.test_cli_runner().invoke(args=command)
    assert undone.exit_code == 0, undone.output
    end_grace_period(rows)
    assert run_retention_once(app) == 1
    assert [str(one) for (one,) in rows("SELECT id FROM users")] == [bare]
    assert client.log_in(alice)["user"]["id"] == bare


# Erasure


def record_everything(app: Flask, client: Client, alice: Person) -> tuple[str, set[str]]:
    """Make the service store every kind of data about Alice. Return her last token and her data."""
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
    for fields in ({"RevokeInfo": "16"}, {"RevokeInfo": "99"}):
        portal.push(event(OpenID=first["openid"], **fields))
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


def test_erasure_leaves_no_personal_data_of_the_user_in_any_table(
    app: Flask, client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    client.bind(bob)
    client.bind(alice, GLOBEX_LIFE)
    others = read_tables(rows)
    token, personal = record_everything(app, client, alice)
    user = client.me(token).json["id"]
    assert len(places_of(read_tables(rows), personal)) > 12, "the search finds stored data"
    close(client, token)
    end_grace_period(rows)
    assert run_retention_once(app) == 1
    left = read_tables(rows)
    remaining = rows_not_in(left, others)
    assert places_of(remaining, personal) == set()
    # Audit events with pseudonyms and pushes without content remain.
    assert {name for name, content in remaining.items() if content} <= {
        *("audit_events", "wechat_pushes", "password_tries", "wechat_access_tokens")
    }
    assert places_of(remaining, {user}) == {
        ("audit_events", "actor_id"),
        ("audit_events", "subject"),
        ("audit_events", "details"),
    }
    assert {row["ip"] for row in remaining["audit_events"].values()} == {None}
    assert (
        rows.count("wechat_pushes", "message_sealed IS NOT NULL OR person_index IS NOT NULL") == 0
    )
    assert "user.erased" in actions(rows, "user.%")
    untouched = {
        name: what for name, what in changes(others, left).items() if name != "wechat_apps"
    }
    assert all(set(what.values()) == {"new"} for what in untouched.values()), untouched
    assert run_retention_once(app) == 0


def rows_not_in(tables: Tables, others: Tables) -> Tables:
    """Return the tables without the rows that `others` contains."""
    return {
        name: {key: row for key, row in content.items() if key not in others[name]}
        for name, content in tables.items()
    }


def test_person_whose_user_was_erased_is_a_newcomer_at_the_next_login(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    before = client.bind(alice)["user"]["id"]
    close(client, client.log_in(alice)["token"])
    end_grace_period(rows)
    assert run_retention_once(app) == 1
    back = client.log_in(alice)
    assert (back["bound"], back["user"]) == (False, None)
    assert client.bind(alice)["user"]["id"] != before


def test_erasure_includes_an_identity_that_was_unbound_before_the_account_closure(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    enter_user(app, **CREDENTIALS, phone="13800138001")
    client.post("unbind", client.bind(alice)["token"])
    close(client, client.post("password-login", **CREDENTIALS).json["token"])
    end_grace_period(rows)
    assert run_retention_once(app) == 1
    assert [rows.count(one) for one in ("users", "social_accounts", "login_sessions")] == [0, 0, 0]


def test_erasure_keeps_an_identity_that_is_now_bound_to_another_user(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    enter_user(app, **CREDENTIALS)
    enter_user(app, account="second", password=GOOD_PASSWORD)
    free = client.post("unbind", client.log_in(alice, **CREDENTIALS)["token"]).json["token"]
    now = client.post(
        "bind", client.log_in(alice)["token"], account="second", password=GOOD_PASSWORD
    ).json
    close(client, client.post("password-login", **CREDENTIALS).json["token"])
    end_grace_period(rows)
    assert run_retention_once(app) == 1
    assert client.me(now["token"]).json["account"] == "second"
    assert rows.count("social_accounts", "user_id IS NOT NULL") == 1
    assert free


# Concurrency


@pytest.mark.real_commits
@pytest.mark.parametrize("log_in", [log_in_by_wechat, log_in_by_password])
def test_login_concurrent_with_erasure_either_reopens_the_account_or_finds_it_erased(
    log_in: Callable[[Client, Person], Any], app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    for _ in range(6):
        if not rows.count("users", "account IS NOT NULL"):
            enter_user(app, **CREDENTIALS, phone="13800138001")
        close(client, client.bind(alice)["token"])
        end_grace_period(rows)
        answers = run_concurrently(
            [lambda: log_in(Client(app), alice), *[lambda: run_retention_once(app)] * 2]
        )
        login, erased = answers[0], sum(answers[1:])
        if login.status_code == 200 and login.json["bound"]:
            assert client.me(login.json["token"]).status_code == 200
            assert erased == 0
        else:
            assert login.status_code in (200, 401)
            assert erased == 1
        assert rows.count("users") == (1 - erased)


def test_request_of_a_user_erased_during_the_request_records_no_ip_address(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    token = client.bind(alice)["token"]
    with app.app_context():
        principal = authenticate(token)
        rows("UPDATE users SET erase_after = now()")
        assert run_retention_once(app) == 1
        here = Device(None, "203.0.113.77")
        with pytest.raises(TokenInvalid):
            export_everything(principal, here)
        end_other_sessions(principal, here)
        end_all_sessions(principal, here)
    assert rows.count("audit_events", "ip IS NOT NULL") == 0


def test_request_of_an_identity_that_was_just_erased_gets_token_invalid(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    token = client.bind(alice)["token"]
    with app.app_context():
        principal = authenticate(token)
        rows("UPDATE users SET erase_after = now()")
        assert run_retention_once(app) == 1
        with pytest.raises(TokenInvalid):
            get_openid(principal)
        with pytest.raises(TokenInvalid), transaction() as db:
            lock_social_account(db, principal)


def test_service_log_contains_no_personal_data(
    app: Flask, client: Client, alice: Person, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = io.StringIO()
    (ours,) = (one for one in logging.getLogger().handlers if type(one) is logging.StreamHandler)
    monkeypatch.setattr(ours, "stream", lines)
    token, personal = record_everything(app, client, alice)
    assert client.send("GET", "/v1/me/export", token).data
    close(client, token)
    end_grace_period(rows)
    assert run_retention_once(app) == 1
    assert "revoke_info_unknown" in lines.getvalue()
    assert [one for one in personal if one in lines.getvalue()] == []


@pytest.mark.real_commits
def test_account_closed_during_concurrent_logins_has_no_active_session_or_is_reopened(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Either the account is closed and has no active session, or a login has reopened it."""
    for _ in range(6):
        token = client.bind(alice)["token"]
        codes = [alice.wx_login() for _ in range(3)]
        logins = [lambda code=code: Client(app).post("login", code=code) for code in codes]
        closed, *answers = run_concurrently(
            [lambda token=token: close(Client(app), token), *logins]
        )
        assert {closed.status_code, *(answer.status_code for answer in answers)} == {200}
        active = rows.count("login_sessions", "ended_at IS NULL")
        assert (states(rows), active > 0) in [([True], False), ([False], True)]


@pytest.mark.real_commits
def test_undo_merge_concurrent_with_erasure_restores_the_merged_user_or_fails(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    for _ in range(5):
        enter_user(app, **CREDENTIALS, phone="13800138001")
        bare = client.log_in(alice, ACME_CLUB)["user"]["id"]
        close(client, client.bind(alice)["token"])
        end_grace_period(rows)

        def undo(user_id: str = bare) -> int:
            command = ["users", "undo-merge", user_id, "--tenant", "acme"]
            return int(app.test_cli_runner().invoke(args=command).exit_code)

        undone, *erased = run_concurrently([undo, *[lambda: run_retention_once(app)] * 2])
        assert sum(erased) == 1
        left = {"users": 1 - undone, "social_accounts": 2 * (1 - undone)}
        assert {name: rows.count(name) for name in left} == left
        if undone == 0:
            assert rows("SELECT status, merged_into_id FROM users") == [("active", None)]
            close(client, client.log_in(alice)["token"])
            end_grace_period(rows)
            assert run_retention_once(app) == 1


@pytest.mark.real_commits
def test_phone_number_verified_during_an_erasure_belongs_to_a_user_who_is_not_erased(
    app: Flask, client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    for _ in range(5):
        enter_user(app, **CREDENTIALS, phone="13800138001")
        close(client, client.bind(alice)["token"])
        end_grace_period(rows)
        tapping = Person(bob.wechat, "bob", alice.phone)
        token, tap = client.log_in(tapping)["token"], tapping.tap_phone_new()
        verified, *_ = run_concurrently(
            [
                lambda token=token, tap=tap: Client(app).post("phone", token, **tap),
                *[lambda: run_retention_once(app)] * 2,
            ]
        )
        assert verified.status_code == 200
        assert client.me(verified.json["token"]).json["phone"] == "+8613800138001"
        assert [rows.count(one) for one in ("users", "phones")] == [1, 1]
        assert states(rows) == [False]
        rows("UPDATE users SET erase_after = now()")
        assert run_retention_once(app) == 1


@pytest.mark.real_commits
def test_requests_during_the_erasure_of_their_user_return_200_401_or_409(
    app: Flask, client: Client, alice: Person, wechat: WeChat, rows: Reader
) -> None:
    for _ in range(4):
        token = client.bind(alice)["token"]
        rows("UPDATE users SET erase_after = now()")
        paths = ["/v1/me", "/v1/me/export", "/v1/me/sessions", "/v1/me"]
        requests = [lambda path=path, t=token: Client(app).send("GET", path, t) for path in paths]
        requests.append(lambda t=token: Client(app).post("profile", t, nickname="A"))
        requests.append(lambda t=token: Client(app).post("unbind", t))
        erased, *answers = run_concurrently([lambda: run_retention_once(app), *requests])
        assert erased == 1
        assert {answer.status_code for answer in answers} <= {200, 401, 409}
        assert rows.count("users") == 0

"""The last login of a user is the newest login of any kind, in every dialect."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, App, Client, Person, Reader, enter_user

CREDENTIALS = {"account": "alice", "password": GOOD_PASSWORD}
HERE = f"/apps/{ACME_SHOP.appid}"
Step = Callable[[], Any]


def say(client: Client, path: str, token: str | None = None, **said: Any) -> Any:
    """Send a request of a dialect and return its answer."""
    return client.send("POST", f"{HERE}{path}", token, json=said).json


def code(client: Client, alice: Person) -> Step:
    client.bind(alice)
    return lambda: client.log_in(alice)


def code_and_password(client: Client, alice: Person) -> Step:
    return lambda: client.log_in(alice, **CREDENTIALS)


def code_that_registers(client: Client, alice: Person) -> Step:
    return lambda: client.log_in(alice, ACME_CLUB)


def code_with_the_unionid_of_a_user(client: Client, alice: Person) -> Step:
    client.bind(alice)
    return lambda: client.log_in(alice, ACME_CLUB)


def phone_that_registers(client: Client, alice: Person) -> Step:
    token = client.log_in(alice)["token"]
    return lambda: client.post("phone", token, **alice.tap_phone_new()).json


def phone_of_a_user(client: Client, alice: Person) -> Step:
    enter_user(client.http.application, phone=alice.phone)
    token = client.log_in(alice)["token"]
    return lambda: client.post("phone", token, **alice.tap_phone_old()).json


def phone_that_merges(client: Client, alice: Person) -> Step:
    enter_user(client.http.application, phone=alice.phone)
    token = client.log_in(alice, ACME_CLUB)["token"]
    tap = alice.tap_phone_new(ACME_CLUB)
    return lambda: client.post("phone", token, ACME_CLUB, **tap).json


def password(client: Client, alice: Person) -> Step:
    return lambda: client.post("password-login", **CREDENTIALS).json


def bind(client: Client, alice: Person) -> Step:
    token = client.log_in(alice)["token"]
    return lambda: client.post("bind", token, **CREDENTIALS).json


def gitegg_social(client: Client, alice: Person) -> Step:
    client.bind(alice)
    key = say(client, "/uni/openid", code=alice.wx_login())["sessionKey"]
    return lambda: say(client, "/oauth/token", grant_type="social", social_key=key)


def gitegg_password(client: Client, alice: Person) -> Step:
    said = {"grant_type": "password", "username": "alice", "password": CREDENTIALS["password"]}
    return lambda: say(client, "/oauth/token", **said)


def litemall_code(client: Client, alice: Person) -> Step:
    client.bind(alice)
    said = {"code": alice.wx_login(), "userInfo": {"nickName": "Alice"}}
    return lambda: say(client, "/wx/auth/login_by_weixin", **said)


def litemall_phone(client: Client, alice: Person) -> Step:
    said = {"code": alice.wx_login(), "userInfo": {"nickName": "Alice"}}
    token = say(client, "/wx/auth/login_by_weixin", **said)["data"]["token"]
    return lambda: say(client, "/wx/auth/bindPhone", token, **alice.tap_phone_old())


def litemall_password(client: Client, alice: Person) -> Step:
    said = {"username": "alice", "password": CREDENTIALS["password"]}
    return lambda: say(client, "/wx/auth/login", **said)


def uniapp(client: Client, alice: Person) -> Step:
    met = say(client, "/uni/openid", code=alice.wx_login())
    key = {"sessionKey": met["sessionKey"]}
    say(client, "/uni/decrypt", **key, **alice.tap_phone_old())
    shown = {"openId": met["openId"], "phoneNumber": alice.phone}
    return lambda: say(client, "/uni/login", **key, **shown)


def checkbind_code(client: Client, alice: Person) -> Step:
    client.bind(alice)
    query = f"code={alice.wx_login()}"
    return lambda: client.send("GET", f"{HERE}/mobileApi/user/checkBind?{query}").json


def checkbind_password(client: Client, alice: Person) -> Step:
    said = {"openId": client.log_in(alice)["token"], "username": "alice"}
    return lambda: say(client, "/mobileApi/user/login", **said, password=CREDENTIALS["password"])


FORGET = "UPDATE users SET last_login_at = NULL, last_login_ip = NULL"
NOTED = (
    "SELECT users.id FROM users JOIN login_sessions AS its ON its.user_id = users.id"
    " WHERE last_login_at > now() - interval '1 minute' AND last_login_ip = '127.0.0.1'"
    " AND its.ended_at IS NULL AND status = 'active'"
)


@pytest.mark.parametrize(
    "prepare",
    [
        *(code, code_and_password, code_that_registers, code_with_the_unionid_of_a_user),
        *(phone_that_registers, phone_of_a_user, phone_that_merges, password, bind),
        *(gitegg_social, gitegg_password, litemall_code, litemall_phone, litemall_password),
        *(uniapp, checkbind_code, checkbind_password),
    ],
)
def test_every_kind_of_login_is_the_last_login(
    prepare: Callable[[Client, Person], Step],
    app: Flask,
    client: Client,
    alice: Person,
    rows: Reader,
) -> None:
    """Moment and address are noted, whichever way a session becomes a user's."""
    enter_user(app, **CREDENTIALS)
    log_in = prepare(client, alice)
    rows(FORGET)
    log_in()
    assert {user_id for (user_id,) in rows(NOTED)}, rows("SELECT * FROM users")
    assert rows.count("users", "last_login_at IS NOT NULL") == 1


@pytest.mark.parametrize("mini_program", [ACME_SHOP, ACME_CLUB], ids=["on_phone", "on_login"])
def test_what_opens_no_session_of_a_user_is_no_login(
    mini_program: App, client: Client, alice: Person, rows: Reader
) -> None:
    """A refresh, a request and unbinding leave the last login as it is."""
    login = client.bind(alice, mini_program)
    rows(FORGET)
    tokens = client.post("refresh", app=mini_program, refresh_token=login["refresh_token"]).json
    assert client.me(tokens["token"]).status_code == 200
    assert client.post("unbind", tokens["token"], mini_program).status_code == 200
    assert rows.count("users", "last_login_at IS NOT NULL") == 0

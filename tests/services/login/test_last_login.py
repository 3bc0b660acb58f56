"""`last_login_at` and `last_login_ip` of users, for every kind of login and every dialect."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, App, Client, Person, Reader, enter_user

CREDENTIALS = {"account": "alice", "password": GOOD_PASSWORD}
HERE = f"/apps/{ACME_SHOP.appid}"
Step = Callable[[], Any]


def send(client: Client, path: str, token: str | None = None, **body: Any) -> Any:
    """Send a request of a dialect and return the JSON of the response."""
    return client.send("POST", f"{HERE}{path}", token, json=body).json


# Each function prepares a login and returns the request that logs in.


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
    key = send(client, "/uni/openid", code=alice.wx_login())["sessionKey"]
    return lambda: send(client, "/oauth/token", grant_type="social", social_key=key)


def gitegg_password(client: Client, alice: Person) -> Step:
    body = {"grant_type": "password", "username": "alice", "password": CREDENTIALS["password"]}
    return lambda: send(client, "/oauth/token", **body)


def litemall_code(client: Client, alice: Person) -> Step:
    client.bind(alice)
    body = {"code": alice.wx_login(), "userInfo": {"nickName": "Alice"}}
    return lambda: send(client, "/wx/auth/login_by_weixin", **body)


def litemall_phone(client: Client, alice: Person) -> Step:
    body = {"code": alice.wx_login(), "userInfo": {"nickName": "Alice"}}
    token = send(client, "/wx/auth/login_by_weixin", **body)["data"]["token"]
    return lambda: send(client, "/wx/auth/bindPhone", token, **alice.tap_phone_old())


def litemall_password(client: Client, alice: Person) -> Step:
    body = {"username": "alice", "password": CREDENTIALS["password"]}
    return lambda: send(client, "/wx/auth/login", **body)


def uniapp(client: Client, alice: Person) -> Step:
    opened = send(client, "/uni/openid", code=alice.wx_login())
    key = {"sessionKey": opened["sessionKey"]}
    send(client, "/uni/decrypt", **key, **alice.tap_phone_old())
    shown = {"openId": opened["openId"], "phoneNumber": alice.phone}
    return lambda: send(client, "/uni/login", **key, **shown)


def checkbind_code(client: Client, alice: Person) -> Step:
    client.bind(alice)
    query = f"code={alice.wx_login()}"
    return lambda: client.send("GET", f"{HERE}/mobileApi/user/checkBind?{query}").json


def checkbind_password(client: Client, alice: Person) -> Step:
    body = {"openId": client.log_in(alice)["token"], "username": "alice"}
    return lambda: send(client, "/mobileApi/user/login", **body, password=CREDENTIALS["password"])


CLEAR_LAST_LOGIN = "UPDATE users SET last_login_at = NULL, last_login_ip = NULL"
USERS_WITH_LAST_LOGIN = (
    "SELECT users.id FROM users JOIN login_sessions AS its"
    " ON its.tenant_id = users.tenant_id AND its.user_id = users.id"
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
def test_every_kind_of_login_updates_last_login_at_and_last_login_ip(
    prepare: Callable[[Client, Person], Step],
    app: Flask,
    client: Client,
    alice: Person,
    rows: Reader,
) -> None:
    enter_user(app, **CREDENTIALS)
    log_in = prepare(client, alice)
    rows(CLEAR_LAST_LOGIN)
    log_in()
    assert {user_id for (user_id,) in rows(USERS_WITH_LAST_LOGIN)}, rows("SELECT * FROM users")
    assert rows.count("users", "last_login_at IS NOT NULL") == 1


@pytest.mark.parametrize("mini_program", [ACME_SHOP, ACME_CLUB], ids=["on_phone", "on_login"])
def test_refresh_and_unbind_do_not_update_last_login_at(
    mini_program: App, client: Client, alice: Person, rows: Reader
) -> None:
    login = client.bind(alice, mini_program)
    rows(CLEAR_LAST_LOGIN)
    tokens = client.post("refresh", app=mini_program, refresh_token=login["refresh_token"]).json
    assert client.me(tokens["token"]).status_code == 200
    assert client.post("unbind", tokens["token"], mini_program).status_code == 200
    assert rows.count("users", "last_login_at IS NOT NULL") == 0

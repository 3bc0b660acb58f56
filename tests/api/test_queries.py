"""Number of SQL statements of each endpoint."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from app.services.encryption.key_proofs import check_keys
from app.services.login import code_exchange
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, App, Client, Person, enter_user

CREDENTIALS = {"account": "alice", "password": GOOD_PASSWORD}
Call = Callable[[], Any]


@pytest.fixture(autouse=True)
def logins_without_cleanup(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep logins from deleting old codes, which one in fifty does with one more statement."""
    monkeypatch.setattr(code_exchange, "CLEANUP_EVERY", 2**130)


def login(client: Client, alice: Person, app: App = ACME_SHOP) -> Call:
    code = alice.wx_login(app)
    return lambda: client.post("login", app=app, code=code)


def login_that_registers(client: Client, alice: Person) -> Call:
    return login(client, alice, ACME_CLUB)


def login_of_a_known_person(client: Client, alice: Person) -> Call:
    client.bind(alice)
    return login(client, alice)


def password_login(client: Client, alice: Person) -> Call:
    return lambda: client.post("password-login", **CREDENTIALS)


def phone_that_registers(client: Client, alice: Person) -> Call:
    token, tap = client.log_in(alice)["token"], alice.tap_phone_old()
    return lambda: client.post("phone", token, **tap)


def me(client: Client, alice: Person) -> Call:
    token = client.bind(alice)["token"]
    return lambda: client.me(token)


def profile(client: Client, alice: Person) -> Call:
    token = client.bind(alice)["token"]
    return lambda: client.post("profile", token, nickname="Alice")


def refresh(client: Client, alice: Person) -> Call:
    refresh_token = client.bind(alice)["refresh_token"]
    return lambda: client.post("refresh", refresh_token=refresh_token)


def logout(client: Client, alice: Person) -> Call:
    token = client.bind(alice)["token"]
    return lambda: client.post("logout", token)


def verify(client: Client, alice: Person) -> Call:
    token = client.bind(alice)["token"]
    return lambda: client.send("GET", "/v1/verify", token)


def jwt(client: Client, alice: Person) -> Call:
    token = client.bind(alice)["token"]
    return lambda: client.post("jwt", token)


def my_sessions(client: Client, alice: Person) -> Call:
    token = client.bind(alice)["token"]
    return lambda: client.send("GET", "/v1/me/sessions", token)


def export(client: Client, alice: Person) -> Call:
    token = client.bind(alice)["token"]

    def read_export() -> Any:
        answer = client.send("GET", "/v1/me/export", token)
        assert answer.data
        return answer

    return read_export


def close(client: Client, alice: Person) -> Call:
    token = client.bind(alice)["token"]
    return lambda: client.send("DELETE", "/v1/me", token)


def login_that_reopens(client: Client, alice: Person) -> Call:
    close(client, alice)()
    return login(client, alice)


def bind(client: Client, alice: Person) -> Call:
    token = client.log_in(alice)["token"]
    return lambda: client.post("bind", token, **CREDENTIALS)


def unbind(client: Client, alice: Person) -> Call:
    token = client.bind(alice)["token"]
    return lambda: client.post("unbind", token)


def ask(client: Client, path: str, **body: Any) -> Any:
    """Send a request to a dialect route of the shop. Assert that the response is a success."""
    answer = client.send("POST", f"/apps/{ACME_SHOP.appid}{path}", json=body)
    assert answer.json.get("errno", 0) == 0, answer.text
    assert answer.json.get("success", True), answer.text
    assert answer.json.get("code", 1) in (1, 200), answer.text
    return answer


def litemall_login(client: Client, alice: Person) -> Call:
    body = {"code": alice.wx_login(), "userInfo": {"nickName": "Alice"}}
    return lambda: ask(client, "/wx/auth/login_by_weixin", **body)


def litemall_phone(client: Client, alice: Person) -> Call:
    token, tap = client.log_in(alice)["token"], alice.tap_phone_old()
    path = f"/apps/{ACME_SHOP.appid}/wx/auth/bindPhone"
    return lambda: client.send("POST", path, token, json=tap)


def uniapp_openid(client: Client, alice: Person) -> Call:
    code = alice.wx_login()
    return lambda: ask(client, "/uni/openid", code=code)


def uniapp_decrypt(client: Client, alice: Person) -> Call:
    unbound_token = ask(client, "/uni/openid", code=alice.wx_login()).json["sessionKey"]
    tap = alice.tap_phone_old()
    return lambda: ask(client, "/uni/decrypt", sessionKey=unbound_token, **tap)


def uniapp_login(client: Client, alice: Person) -> Call:
    opened = ask(client, "/uni/openid", code=alice.wx_login()).json
    unbound_token = {"sessionKey": opened["sessionKey"]}
    ask(client, "/uni/decrypt", **unbound_token, **alice.tap_phone_old())
    shown = {"openId": opened["openId"], "phoneNumber": "13800138001"}
    return lambda: ask(client, "/uni/login", **unbound_token, **shown)


def checkbind_login(client: Client, alice: Person) -> Call:
    unbound_token = client.log_in(alice)["token"]
    body = {"openId": unbound_token, "username": "alice", "password": CREDENTIALS["password"]}
    return lambda: ask(client, "/mobileApi/user/login", **body)


def gitegg_token(client: Client, alice: Person) -> Call:
    client.bind(alice)
    unbound_token = ask(client, "/uni/openid", code=alice.wx_login()).json["sessionKey"]
    return lambda: ask(client, "/oauth/token", grant_type="social", social_key=unbound_token)


@pytest.mark.parametrize(
    ("prepare", "allowed"),
    [
        (me, 2),
        (login, 3),
        (login_of_a_known_person, 3),
        (login_that_registers, 4),  # the lock and the write share a round trip
        (password_login, 14),
        (phone_that_registers, 5),
        (profile, 5),
        (refresh, 3),
        (logout, 3),
        (verify, 1),
        (jwt, 3),
        (my_sessions, 2),
        (export, 16),
        (close, 6),
        (login_that_reopens, 13),
        (bind, 22),
        (unbind, 8),
        (litemall_login, 11),
        (litemall_phone, 5),
        (uniapp_openid, 9),
        (uniapp_decrypt, 13),
        (uniapp_login, 10),
        (checkbind_login, 22),
        (gitegg_token, 8),
    ],
)
def test_each_endpoint_runs_the_expected_number_of_sql_statements(
    prepare: Callable[[Client, Person], Call],
    allowed: int,
    app: Flask,
    client: Client,
    alice: Person,
    statements: list[str],
) -> None:
    enter_user(app, **CREDENTIALS)
    call = prepare(client, alice)
    statements.clear()
    assert call().status_code < 300
    assert len(statements) == allowed, "\n".join(statements)


def test_the_key_check_at_start_up_runs_one_statement_on_key_proofs(
    app: Flask, statements: list[str]
) -> None:
    with app.app_context():
        check_keys()
        statements.clear()
        check_keys()
    assert len(statements) == 1
    assert "FROM key_proofs" in statements[0]

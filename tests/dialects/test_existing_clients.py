"""Behaviour that existing clients of the dialects depend on."""

from typing import Any

import pytest
from flask import Flask

from tests.dialects.gitegg_client import MiniProgram, data
from tests.dialects.test_refusals import ENVELOPES, WRONG, DialectClient
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    GLOBEX_LIFE,
    App,
    Client,
    Person,
    enter_user,
)


@pytest.mark.usefixtures("no_waits_end")
@pytest.mark.parametrize("dialect", ["gitegg", "litemall", "checkbind"])
def test_the_message_of_a_throttled_login_contains_the_waiting_time(
    dialect: str, app: Flask, client: Client, alice: Person
) -> None:
    """Existing clients show the message and ignore the Retry-After header."""
    dialect_client = DialectClient(dialect, client)
    unbound_token = dialect_client.unbound_token(alice)
    for _ in range(7):
        answer = dialect_client.send(*dialect_client.password_request(unbound_token, WRONG))
    assert answer.json[ENVELOPES[dialect][1]] == "Too many failed attempts. Try again in 1 minute."
    assert int(answer.headers["Retry-After"]) > 0


def test_every_gitegg_request_succeeds_below_the_path_of_an_app(
    client: Client, alice: Person
) -> None:
    root = f"/apps/{ACME_SHOP.appid}"
    phone = MiniProgram(client, alice)
    key = phone.bind_key()
    data(phone.phone(key))

    def ask(what: str, token: str | None = None, **body: str) -> Any:
        return data(client.send("POST", f"{root}/oauth/{what}", token, json=body))

    tokens = ask("token", grant_type="social", social_key=key)
    fresh = ask("token", grant_type="refresh_token", refresh_token=tokens["refreshToken"])
    path = f"{root}/system/account/user/info"
    assert data(client.send("GET", path, fresh["token"]))["mobile"] == "13800138001"
    ask("logout", fresh["token"])
    assert client.send("GET", path, fresh["token"]).json["code"] == 401
    query = {"code": alice.wx_login(), "appId": ACME_SHOP.appid}
    login = client.send("GET", f"{root}/wx/user/{ACME_SHOP.appid}/login", query_string=query)
    assert login.status_code == 200, "the login works, too"


def test_logout_below_the_path_of_an_app_rejects_tokens_of_other_apps(
    client: Client, alice: Person
) -> None:
    token = client.bind(alice, GLOBEX_LIFE)["token"]
    path = f"/apps/{ACME_SHOP.appid}/oauth/logout"
    assert client.send("POST", path, token, json={}).json["code"] == 403
    assert client.me(token).status_code == 200


@pytest.mark.parametrize("app_", [ACME_SHOP, ACME_CLUB], ids=["nobody", "bare"])
def test_a_phone_binding_copies_the_nickname_of_the_identity_to_a_user_without_one(
    app_: App, app: Flask, client: Client, alice: Person
) -> None:
    enter_user(app, phone="13800138001")
    phone = MiniProgram(client, alice, app_)
    key = phone.bind_key()
    data(phone.info(key))
    assert data(phone.phone(key))["nickname"] == "alice 🌸 小花"

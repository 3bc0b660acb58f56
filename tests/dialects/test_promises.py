"""What a client that exists already still meets: each of these is a promise not kept."""

from typing import Any

import pytest
from flask import Flask

from tests.dialects.gitegg_client import MiniProgram, data
from tests.dialects.test_refusals import SAYS, WRONG, Speaker
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
def test_a_throttled_client_is_told_how_many_minutes_to_wait(
    dialect: str, app: Flask, client: Client, alice: Person
) -> None:
    """The message is complete in itself: such clients show it and ignore headers."""
    speaker = Speaker(dialect, client)
    handle = speaker.handle(alice)
    for _ in range(7):
        answer = speaker.send(*speaker.type_password(handle, WRONG))
    assert answer.json[SAYS[dialect][1]] == "Too many failed attempts. Try again in 1 minute."
    assert int(answer.headers["Retry-After"]) > 0


def test_gitegg_works_whole_below_the_path_of_an_app(client: Client, alice: Person) -> None:
    """Otherwise a client, which has one base URL, finds its tokens there but not its login."""
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
    asked = {"code": alice.wx_login(), "appId": ACME_SHOP.appid}
    login = client.send("GET", f"{root}/wx/user/{ACME_SHOP.appid}/login", query_string=asked)
    assert login.status_code == 200, "and the login too"


def test_a_token_of_another_app_ends_nothing_below_the_path_of_an_app(
    client: Client, alice: Person
) -> None:
    """Otherwise the wall between apps has one door without a guard."""
    token = client.bind(alice, GLOBEX_LIFE)["token"]
    path = f"/apps/{ACME_SHOP.appid}/oauth/logout"
    assert client.send("POST", path, token, json={}).json["code"] == 403
    assert client.me(token).status_code == 200


@pytest.mark.parametrize("app_", [ACME_SHOP, ACME_CLUB], ids=["nobody", "bare"])
def test_whom_the_tenant_entered_gets_the_name_that_the_person_gave(
    app_: App, app: Flask, client: Client, alice: Person
) -> None:
    """Otherwise a person entered by phone alone stays without a name for ever."""
    enter_user(app, phone="13800138001")
    phone = MiniProgram(client, alice, app_)
    key = phone.bind_key()
    data(phone.info(key))
    assert data(phone.phone(key))["nickname"] == "alice 🌸 小花"

"""The check-bind dialect: known users are logged in, others get a handle for the login page."""

from typing import Any

import pytest
from flask import Flask

from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import (
    ACME_SHOP,
    ACME_STAFF,
    App,
    Client,
    Person,
    Reader,
    enter_user,
    wechat_headers,
)

PASSWORD = GOOD_PASSWORD


class Page:
    """The page on a person's phone."""

    def __init__(
        self, client: Client, person: Person, app: App = ACME_SHOP, root: str = ""
    ) -> None:
        self.client, self.person, self.app, self.root = client, person, app, root

    def ask(self, method: str, what: str, **how: Any) -> Any:
        """Send a request as wx.request does."""
        headers = wechat_headers(self.app)
        answer = self.client.send(method, f"{self.root}{what}", headers=headers, **how)
        assert answer.status_code == 200, answer.text
        assert answer.json["msg"]
        assert '"session_key"' not in answer.text
        return answer.json

    def check(self, code: str | None = None) -> Any:
        """Open the mini-program."""
        query = {"code": code or self.person.wx_login(self.app)}
        return self.ask("GET", "/mobileApi/user/checkBind", query_string=query)

    def login(self, handle: str, password: str = PASSWORD) -> Any:
        """Submit the login form."""
        body = {"openId": handle, "username": "alice", "password": password}
        return self.ask("POST", "/mobileApi/user/login", json=body)


@pytest.mark.parametrize("root", ["", f"/apps/{ACME_SHOP.appid}"], ids=["referer", "base_url"])
def test_a_user_is_linked_by_account_and_then_known_by_code(
    root: str, app: Flask, client: Client, alice: Person
) -> None:
    user_id = enter_user(app, account="alice", password=PASSWORD)
    page = Page(client, alice, root=root)
    unknown = page.check()
    assert (unknown["code"], set(unknown)) == (301, {"code", "msg", "openId"})
    bound = page.login(unknown["openId"])
    assert (bound["code"], bound["userInfo"]["userId"]) == (1, user_id)
    assert client.me(bound["token"]).json["id"] == user_id
    known = page.check()
    assert (known["code"], known["userInfo"]) == (1, bound["userInfo"])
    session = page.ask("POST", "/api/login/code2session", json={"code": alice.wx_login()})
    assert session["bound"] is True
    assert {"openid", "unionid", "token"} <= set(session)
    assert client.post("logout", session["token"]).status_code == 204
    assert client.me(session["token"]).status_code == 401


def test_openids_tokens_and_handles_of_other_apps_do_not_link_an_account(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    enter_user(app, account="alice", password=PASSWORD)
    page = Page(client, alice)
    handle = page.check()["openId"]
    openid = rows("SELECT openid FROM social_accounts")[0][0]
    elsewhere = Page(client, alice, ACME_STAFF).check()["openId"]
    assert page.check("made-up")["code"] == 0
    assert page.login(handle, "wrong")["code"] == 0
    for false in (openid, elsewhere, "", "oMadeUp"):
        assert page.login(false)["code"] == 0, false
    assert rows.count("social_accounts", "user_id IS NOT NULL") == 0
    token = page.login(handle)["token"]
    assert page.login(handle)["code"] == page.login(token)["code"] == 0
    rows("UPDATE login_sessions SET expires_at = now() - interval '1 second'")
    assert client.me(token).status_code == 401


def test_account_and_password_with_a_code_link_the_identity(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    enter_user(app, account="alice", password=PASSWORD)
    page = Page(client, alice)

    def session(**more: str) -> Any:
        body = {"code": alice.wx_login()} | more
        return page.ask("POST", "/api/login/code2session", json=body)

    assert session(username="alice")["code"] == 0
    assert session(username="alice", password="wrong")["code"] == 0
    assert rows.count("social_accounts") == 0
    assert session(username="alice", password=PASSWORD)["bound"] is True
    assert session()["bound"] is True, "the code alone is enough from now on"

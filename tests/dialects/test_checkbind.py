"""The check-bind dialect."""

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
    """The check-bind page of one person in one app."""

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
        """Send a login code, a new one by default."""
        query = {"code": code or self.person.wx_login(self.app)}
        return self.ask("GET", "/mobileApi/user/checkBind", query_string=query)

    def login(self, unbound_token: str, password: str = PASSWORD) -> Any:
        """Submit the login form with an unbound token as `openId`."""
        body = {"openId": unbound_token, "username": "alice", "password": password}
        return self.ask("POST", "/mobileApi/user/login", json=body)


@pytest.mark.parametrize("root", ["", f"/apps/{ACME_SHOP.appid}"], ids=["referer", "base_url"])
def test_check_bind_logs_a_user_in_by_code_after_the_identity_was_bound_by_account(
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


def test_bind_rejects_openids_used_tokens_and_unbound_tokens_of_other_apps(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    enter_user(app, account="alice", password=PASSWORD)
    page = Page(client, alice)
    unbound_token = page.check()["openId"]
    openid = rows("SELECT openid FROM social_accounts")[0][0]
    elsewhere = Page(client, alice, ACME_STAFF).check()["openId"]
    assert page.check("made-up")["code"] == 0
    assert page.login(unbound_token, "wrong")["code"] == 0
    for false in (openid, elsewhere, "", "oMadeUp"):
        assert page.login(false)["code"] == 0, false
    assert rows.count("social_accounts", "user_id IS NOT NULL") == 0
    token = page.login(unbound_token)["token"]
    assert page.login(unbound_token)["code"] == page.login(token)["code"] == 0
    rows("UPDATE login_sessions SET expires_at = now() - interval '1 second'")
    assert client.me(token).status_code == 401


def test_code2session_with_account_and_password_binds_the_identity(
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

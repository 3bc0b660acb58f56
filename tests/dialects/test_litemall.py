"""The litemall dialect."""

from functools import partial
from typing import Any

import pytest
from flask import Flask

from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    GLOBEX_LIFE,
    App,
    Client,
    Person,
    Reader,
    enter_user,
    wechat_headers,
)
from tests.services.login.test_concurrency import run_concurrently

CLAIMED = {"nickName": "阿丽 🌸", "avatarUrl": "https://thirdwx.qlogo.cn/a/132", "gender": 2}
PASSWORD = GOOD_PASSWORD


class MiniProgram:
    """A litemall mini-program, used by one person in one app."""

    def __init__(self, client: Client, person: Person, app: App, *, bare: bool = False) -> None:
        self.client, self.person, self.app = client, person, app
        self.root = "/wx" if bare else f"/apps/{app.appid}/wx"
        self.header, self.token = "X-Litemall-Token", ""

    def ask(self, method: str, what: str, body: Any = None, **headers: str) -> Any:
        """Send a request as the client's util.request does: as JSON, with the token header."""
        all_headers = {"Content-Type": "application/json", self.header: self.token} | headers
        how = {"json": body} if method == "POST" else {}
        answer = self.client.send(
            method, f"{self.root}/{what}", headers=wechat_headers(self.app) | all_headers, **how
        )
        assert answer.status_code == 200, answer.text
        assert '"session_key"' not in answer.text
        assert answer.json["errmsg"]
        return answer.json

    def data(self, *how: Any) -> Any:
        """Send a request. Assert that it succeeds, and return the data of the response."""
        body = self.ask(*how)
        assert (body["errno"], body["errmsg"]) == (0, "成功"), body
        return body["data"]

    def log_in(self, **claimed: Any) -> Any:
        """Log in as the login page does, and store the token."""
        body = {"code": self.person.wx_login(self.app), "userInfo": CLAIMED | claimed}
        data = self.data("POST", "auth/login_by_weixin", body)
        self.token = data["token"]
        return data

    def bind_phone(self) -> Any:
        """Send the encrypted phone number of the old button."""
        return self.data("POST", "auth/bindPhone", self.person.tap_phone_old(self.app))


@pytest.mark.parametrize("app_", [ACME_SHOP, ACME_CLUB], ids=["on_phone", "on_login"])
@pytest.mark.parametrize("bare", [False, True], ids=["base_url", "referer"])
def test_a_litemall_client_logs_in_binds_a_phone_edits_the_profile_and_logs_out(
    app_: App, bare: bool, client: Client, alice: Person, rows: Reader
) -> None:
    """After the phone binding, the client still uses the token of the login."""
    phone = MiniProgram(client, alice, app_, bare=bare)
    first = phone.log_in()
    assert first["tokenExpire"] == 7200
    assert first["userInfo"]["nickName"] == "阿丽 🌸"
    assert (first["userInfo"]["phone"], first["userInfo"]["status"]) == (None, 0)

    assert phone.bind_phone() == {"phone": "13800138001", "token": phone.token}
    me = phone.data("GET", "auth/info")
    [(user_id, day)] = rows(
        "SELECT id::text, to_char(created_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD') FROM users"
    )
    assert (me["userId"], me["registerDate"]) == (user_id, day)
    assert (me["nickName"], me["phone"], me["userLevelDesc"]) == (
        "阿丽 🌸",
        "13800138001",
        "普通用户",
    )

    changed = {"nickname": "Alice 🎈", "avatar": "https://example.com/a.png", "gender": 1}
    phone.data("POST", "auth/profile", changed)
    rows("UPDATE users SET last_login_at = NULL, last_login_ip = NULL")
    again = phone.log_in(nickName="Other name")
    assert (again["userInfo"]["userId"], again["userInfo"]["nickName"]) == (user_id, "Alice 🎈")
    assert rows.count("users", "last_login_at IS NOT NULL AND last_login_ip IS NOT NULL") == 1
    assert phone.data("GET", "user/index")["userId"] == user_id

    phone.data("POST", "auth/logout", {})
    assert phone.ask("GET", "auth/info")["errno"] == 501


@pytest.mark.parametrize("way", ["old", "new"])
@pytest.mark.parametrize("app_", [ACME_SHOP, ACME_CLUB], ids=["bound", "merged"])
def test_after_a_phone_binding_the_login_token_belongs_to_the_owner_of_the_number(
    way: str, app_: App, app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    owner = enter_user(app, phone="13800138001")
    phone = MiniProgram(client, alice, app_)
    phone.log_in()
    tap = alice.tap_phone_new if way == "new" else alice.tap_phone_old
    assert phone.data("POST", "auth/bindPhone", tap(app_))["phone"] == "13800138001"
    assert client.me(phone.token).json["id"] == owner
    assert phone.data("GET", "auth/info")["userId"] == owner
    (listed,) = client.send("GET", "/v1/me/sessions", phone.token).json
    assert (listed["appid"], listed["current"]) == (app_.appid, True)
    assert rows.count("users", "status = 'active'") == 1


@pytest.mark.real_commits
def test_a_session_stays_valid_during_concurrent_phone_bindings(
    client: Client, alice: Person
) -> None:
    phone = MiniProgram(client, alice, ACME_CLUB)
    phone.log_in()
    taps = [alice.tap_phone_old(ACME_CLUB) for _ in range(4)]
    run_concurrently([partial(phone.data, "POST", "auth/bindPhone", tap) for tap in taps])
    assert phone.data("GET", "auth/info")["phone"] == "13800138001"


@pytest.mark.parametrize("header", ["X-Litemall-Token", "X-OA-Token", "Authorization"])
def test_every_token_header_authenticates_and_two_different_tokens_are_rejected(
    header: str, client: Client, alice: Person
) -> None:
    phone = MiniProgram(client, alice, ACME_CLUB)
    old = phone.log_in()["token"]
    phone.log_in()
    token = f"Bearer {phone.token}" if header == "Authorization" else phone.token
    phone.header, phone.token = header, token
    assert phone.ask("GET", "auth/info")["errno"] == 0
    other = "X-OA-Token" if header != "X-OA-Token" else "X-Litemall-Token"
    assert phone.ask("GET", "auth/info", **{other: old})["errno"] == 501


def test_an_expired_login_token_gets_errno_501(client: Client, alice: Person, rows: Reader) -> None:
    phone = MiniProgram(client, alice, ACME_CLUB)
    phone.log_in()
    rows("UPDATE login_sessions SET expires_at = now() - interval '1 second'")
    assert phone.ask("GET", "auth/info")["errno"] == 501
    english = phone.ask("GET", "auth/info", **{"Accept-Language": "en"})
    assert english["errmsg"].startswith("The login has expired")


def test_a_litemall_password_login_succeeds_and_a_wrong_password_gets_errno_700(
    app: Flask, client: Client, alice: Person
) -> None:
    enter_user(app, account="alice", password=PASSWORD)
    phone = MiniProgram(client, alice, ACME_SHOP)
    wrong = {"username": "alice", "password": "wrong"}
    assert phone.ask("POST", "auth/login", wrong)["errno"] == 700
    phone.token = phone.data("POST", "auth/login", wrong | {"password": PASSWORD})["token"]
    assert phone.data("GET", "auth/info")["userId"]


def test_invalid_litemall_requests_get_their_errno_and_register_no_user(
    client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    phone = MiniProgram(client, alice, ACME_SHOP)
    no_objects = ({"code": "made-up", "userInfo": value} for value in ([], [{}], "x", 5, True))
    for body in ({}, {"code": alice.wx_login()}, {"userInfo": CLAIMED}, *no_objects):
        assert phone.ask("POST", "auth/login_by_weixin", body)["errno"] == 401
    made_up = {"code": "made-up", "userInfo": CLAIMED}
    assert phone.ask("POST", "auth/login_by_weixin", made_up)["errno"] == 402
    assert phone.ask("POST", "auth/bindPhone", alice.tap_phone_old())["errno"] == 501
    phone.log_in()
    assert phone.ask("GET", "auth/info")["errno"] == 706
    assert phone.ask("POST", "auth/profile", {"nickname": "Nobody"})["errno"] == 706
    assert phone.ask("POST", "auth/bindPhone", {"phone": "13800138001"})["errno"] == 401
    bob.wx_login()
    assert phone.ask("POST", "auth/bindPhone", bob.tap_phone_old())["errno"] == 505
    token, elsewhere = phone.token, MiniProgram(client, alice, GLOBEX_LIFE)
    elsewhere.token = token
    assert elsewhere.ask("POST", "auth/bindPhone", alice.tap_phone_old())["errno"] == 501
    assert rows.count("users") == rows.count("phones") == 0


def test_a_request_without_an_appid_in_path_and_referer_is_rejected(client: Client) -> None:
    for referer in ("", "https://example.com/", "https://servicewechat.com/wxnobody/1/page.html"):
        headers = {"Referer": referer}
        answer = client.send("POST", "/wx/auth/login", json={}, headers=headers)
        assert (answer.status_code, answer.json["errno"]) == (200, 402)

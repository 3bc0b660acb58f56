"""The uni-app dialect: openid, decrypt and login."""

import json
from typing import Any

import pytest

from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    App,
    Client,
    Person,
    Reader,
    WeChat,
    wechat_headers,
)


class Page:
    """The uni-app page of one person in one app."""

    def __init__(
        self, client: Client, person: Person, app: App = ACME_SHOP, root: str = ""
    ) -> None:
        self.client, self.person, self.app, self.root = client, person, app, root
        self.openid, self.unbound_token = "", ""

    def ask(self, what: str, **body: Any) -> Any:
        """Send a request as uni.request does."""
        headers = wechat_headers(self.app)
        answer = self.client.send("POST", f"{self.root}/uni/{what}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.json["message"]
        return answer.json

    def start(self) -> "Page":
        """Exchange a new login code, and store the openid and the unbound token."""
        opened = self.ask("openid", code=self.person.wx_login(self.app))
        assert set(opened) == {"success", "message", "openId", "sessionKey"}
        self.openid, self.unbound_token = opened["openId"], opened["sessionKey"]
        return self

    def decrypt(self, **other: Any) -> Any:
        """Send the encrypted phone number of the old button."""
        tapped = self.person.tap_phone_old(self.app)
        body = {"sessionKey": self.unbound_token, "appId": self.app.appid} | tapped | other
        return self.ask("decrypt", **body)

    def login(self, **other: Any) -> Any:
        """Log in with openid and phone number."""
        body = {
            "openId": self.openid,
            "sessionKey": self.unbound_token,
            "phoneNumber": "13800138001",
        }
        return self.ask("login", **body | other)


@pytest.mark.parametrize("root", ["", f"/apps/{ACME_SHOP.appid}"], ids=["referer", "base_url"])
def test_a_uniapp_page_exchanges_a_code_decrypts_a_phone_number_and_logs_in(
    root: str, client: Client, alice: Person, rows: Reader
) -> None:
    page = Page(client, alice, root=root).start()
    query = {"person": "alice", "appid": ACME_SHOP.appid}
    assert page.unbound_token != alice.wechat.ask("session-key", **query)["session_key"]
    answer = page.decrypt()
    assert isinstance(answer["data"], str)
    phone = {"phoneNumber": "13800138001", "purePhoneNumber": "13800138001", "countryCode": "86"}
    assert json.loads(answer["data"]) == phone
    first = page.login()
    assert first["success"]
    assert first["userInfo"]["phone"] == "13800138001"
    assert client.me(first["token"]).json["id"] == first["userInfo"]["userId"]
    assert page.login()["success"] is False, "an unbound token can be exchanged once"
    page.start()
    assert page.login()["success"] is False, "no phone was verified with this token"
    page.decrypt()
    assert page.login()["userInfo"] == first["userInfo"]
    rows("UPDATE login_sessions SET expires_at = now() - interval '1 second'")
    assert (page.decrypt()["success"], page.decrypt()["code"]) == (False, 401)


@pytest.mark.parametrize(
    ("country_code", "phone", "spelled"),
    [
        ("1", "2025550143", "+12025550143"),
        ("852", "51234567", "+85251234567"),
        ("86", "12066600003", "12066600003"),
        ("1", "12066600003", "12066600003"),
    ],
)
def test_a_uniapp_login_accepts_foreign_and_wechat_test_phone_numbers(
    country_code: str, phone: str, spelled: str, client: Client, wechat: WeChat
) -> None:
    page = Page(client, Person(wechat, "carol", phone, country_code)).start()
    answer = json.loads(page.decrypt()["data"])
    assert (answer["phoneNumber"], answer["purePhoneNumber"]) == (spelled, phone)
    assert page.login(phoneNumber=answer["phoneNumber"])["success"]
    page.start().decrypt()
    assert page.login(phoneNumber=answer["purePhoneNumber"])["success"]


def test_a_uniapp_login_rejects_an_openid_or_phone_not_verified_with_the_unbound_token(
    client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    page, other = Page(client, alice).start(), Page(client, bob).start()
    assert page.login()["success"] is False, "the phone was not verified"
    for unbound_token in (other.unbound_token, page.openid, ""):
        assert page.decrypt(sessionKey=unbound_token)["success"] is False
    assert page.decrypt(appId=ACME_CLUB.appid)["success"] is False
    assert rows.count("users") == 0
    assert page.decrypt()["success"]
    assert other.decrypt()["success"]
    wrong: list[dict[str, str]] = [
        {"phoneNumber": "13800138002"},
        {"openId": other.openid},
        {"openId": "oMadeUp"},
        {"sessionKey": other.unbound_token},
        {"sessionKey": ""},
        {"sessionKey": Page(client, alice, ACME_CLUB).start().unbound_token},
    ]
    for claim in wrong:
        assert page.login(**claim)["success"] is False, claim
    assert rows.count("login_sessions", "user_id IS NOT NULL") == 0
    assert page.login()["success"]

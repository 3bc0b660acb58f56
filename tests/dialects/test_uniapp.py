"""uni-app pages: openid, decrypt, login, as the page sends them."""

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
    """The page on one person's phone."""

    def __init__(
        self, client: Client, person: Person, app: App = ACME_SHOP, root: str = ""
    ) -> None:
        self.client, self.person, self.app, self.root = client, person, app, root
        self.openid, self.handle = "", ""

    def ask(self, what: str, **body: Any) -> Any:
        """Send as uni.request does."""
        headers = wechat_headers(self.app)
        answer = self.client.send("POST", f"{self.root}/uni/{what}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.json["message"]
        return answer.json

    def start(self) -> "Page":
        """Exchange the code, silently."""
        met = self.ask("openid", code=self.person.wx_login(self.app))
        assert set(met) == {"success", "message", "openId", "sessionKey"}
        self.openid, self.handle = met["openId"], met["sessionKey"]
        return self

    def decrypt(self, **other: Any) -> Any:
        """Send what the phone button gave."""
        tapped = self.person.tap_phone_old(self.app)
        said = {"sessionKey": self.handle, "appId": self.app.appid} | tapped | other
        return self.ask("decrypt", **said)

    def login(self, **other: Any) -> Any:
        """Log in with openid and phone."""
        said = {"openId": self.openid, "sessionKey": self.handle, "phoneNumber": "13800138001"}
        return self.ask("login", **said | other)


@pytest.mark.parametrize("root", ["", f"/apps/{ACME_SHOP.appid}"], ids=["referer", "base_url"])
def test_the_whole_story(root: str, client: Client, alice: Person, rows: Reader) -> None:
    """Otherwise an unchanged page does not work, or is told WeChat's key."""
    page = Page(client, alice, root=root).start()
    asked = {"person": "alice", "appid": ACME_SHOP.appid}
    assert page.handle != alice.wechat.ask("session-key", **asked)["session_key"]
    answer = page.decrypt()
    assert isinstance(answer["data"], str)
    phone = {"phoneNumber": "13800138001", "purePhoneNumber": "13800138001", "countryCode": "86"}
    assert json.loads(answer["data"]) == phone
    first = page.login()
    assert first["success"]
    assert first["userInfo"]["phone"] == "13800138001"
    assert client.me(first["token"]).json["id"] == first["userInfo"]["userId"]
    assert page.login()["success"] is False, "a handle is traded once"
    page.start()
    assert page.login()["success"] is False, "under this handle no phone was verified"
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
def test_numbers_from_abroad_and_test_numbers(
    country_code: str, phone: str, spelled: str, client: Client, wechat: WeChat
) -> None:
    """Otherwise a person from abroad, or WeChat's reviewer, cannot log in."""
    page = Page(client, Person(wechat, "carol", phone, country_code)).start()
    answer = json.loads(page.decrypt()["data"])
    assert (answer["phoneNumber"], answer["purePhoneNumber"]) == (spelled, phone)
    assert page.login(phoneNumber=answer["phoneNumber"])["success"]
    page.start().decrypt()
    assert page.login(phoneNumber=answer["purePhoneNumber"])["success"]


def test_what_was_not_verified_under_the_handle_is_refused(
    client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    """Otherwise an openid and a phone from a request body are a login."""
    page, other = Page(client, alice).start(), Page(client, bob).start()
    assert page.login()["success"] is False, "the phone was never verified"
    for handle in (other.handle, page.openid, ""):
        assert page.decrypt(sessionKey=handle)["success"] is False
    assert page.decrypt(appId=ACME_CLUB.appid)["success"] is False
    assert rows.count("users") == 0
    assert page.decrypt()["success"]
    assert other.decrypt()["success"]
    wrong: list[dict[str, str]] = [
        {"phoneNumber": "13800138002"},
        {"openId": other.openid},
        {"openId": "oMadeUp"},
        {"sessionKey": other.handle},
        {"sessionKey": ""},
        {"sessionKey": Page(client, alice, ACME_CLUB).start().handle},
    ]
    for claim in wrong:
        assert page.login(**claim)["success"] is False, claim
    assert rows.count("login_sessions", "user_id IS NOT NULL") == 0
    assert page.login()["success"]

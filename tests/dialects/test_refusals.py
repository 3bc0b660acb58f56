"""Rejected unbound tokens and passwords in every dialect: response, log and database."""

import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from flask import Flask

from app import logs
from tests.api.test_bad_input import nothing_written
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import (
    ACME_SHOP,
    ACME_STAFF,
    GLOBEX_LIFE,
    App,
    Client,
    Person,
    Reader,
    enter_user,
    wechat_headers,
)
from tests.test_logs import Captured, log_into

PASSWORD, WRONG = GOOD_PASSWORD, "incorrect horse battery"
FAILURES = (
    *("token_invalid", "token_of_another_app", "session_expired", "session_replaced"),
    *("session_key_expired", "credentials_wrong"),
)
# For each dialect: the field of the code, the field of the message, and the code per failure.
ENVELOPES: dict[str, tuple[str, str, dict[str, int]]] = {
    "gitegg": ("code", "msg", dict(zip(FAILURES, (401, 403, 401, 401, 409, 400), strict=True))),
    "litemall": (
        *("errno", "errmsg"),
        dict(zip(FAILURES, (501, 501, 501, 501, 505, 700), strict=True)),
    ),
    "uniapp": ("code", "message", dict(zip(FAILURES, (401, 403, 401, 401, 409, 0), strict=True))),
    "checkbind": ("code", "msg", dict.fromkeys(FAILURES, 0)),
}
DIALECTS = pytest.mark.parametrize("dialect", ENVELOPES)


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch, app: Flask) -> Iterator[Captured]:
    """Capture the log in production format."""
    monkeypatch.setattr(logging.getLogger("werkzeug"), "disabled", True)
    stream = StringIO()
    log_into(stream, as_json=True)
    yield Captured(stream)
    logs.configure(as_json=False)


class DialectClient:
    """Test client of one dialect."""

    def __init__(self, dialect: str, client: Client) -> None:
        self.dialect, self.client = dialect, client

    def unbound_token(self, person: Person, app: App = ACME_SHOP) -> str:
        """Log in by code. Return the unbound token: the bindKey, sessionKey, openId or token."""
        body = {"code": person.wx_login(app)}
        ask = {
            "gitegg": ("GET", f"/wx/user/{app.appid}/login", body),
            "litemall": ("POST", "/wx/auth/login_by_weixin", body | {"userInfo": {"gender": 1}}),
            "uniapp": ("POST", "/uni/openid", body),
            "checkbind": ("GET", "/mobileApi/user/checkBind", body),
        }
        answer = self.send(*ask[self.dialect], app=app).json
        answer = answer.get("data", answer)
        names = ("bindKey", "sessionKey", "token", "openId")
        return str(next(answer[name] for name in names if name in answer))

    def binding_request(
        self, unbound_token: str, password: str = PASSWORD, **tapped: str
    ) -> tuple[str, str, Any]:
        """Return the request that binds the unbound token, by phone or by account and password."""
        credentials = {"username": "mallory", "password": password}
        return {
            "gitegg": (
                *("GET", f"/wx/user/{ACME_SHOP.appid}/phone"),
                {"socialKey": unbound_token} | tapped,
            ),
            "litemall": ("POST", "/wx/auth/bindPhone", tapped),
            "uniapp": ("POST", "/uni/decrypt", {"sessionKey": unbound_token} | tapped),
            "checkbind": ("POST", "/mobileApi/user/login", {"openId": unbound_token} | credentials),
        }[self.dialect]

    def password_request(self, unbound_token: str, password: str) -> tuple[str, str, Any]:
        """Return the request of a password login."""
        credentials = {"username": "mallory", "password": password}
        grant = {"grant_type": "password", **credentials}
        return {
            "gitegg": ("POST", "/oauth/token", grant),
            "litemall": ("POST", "/wx/auth/login", credentials),
            "checkbind": ("POST", "/mobileApi/user/login", {"openId": unbound_token} | credentials),
        }[self.dialect]

    def send(
        self, method: str, path: str, fields: Any, token: str = "", app: App = ACME_SHOP
    ) -> Any:
        """Send a request as wx.request does, in English, because Chinese is the default."""
        headers = wechat_headers(app) | {"Accept-Language": "en"}
        headers |= {"X-Litemall-Token": token} if token else {}
        how = {"query_string": fields} if method == "GET" else {"json": fields}
        return self.client.send(method, path, headers=headers, **how)

    def assert_rejected(self, ask: tuple[str, str, Any], failure: str, token: str = "") -> None:
        """Assert that a request fails with the dialect's code and an English message."""
        code, message, numbers = ENVELOPES[self.dialect]
        answer = self.send(*ask, token=token if self.dialect == "litemall" else "")
        assert (answer.status_code, answer.json[code]) == (200, numbers[failure]), answer.text
        assert answer.json[message].isascii()


@DIALECTS
def test_an_invalid_unbound_token_is_rejected_in_every_dialect_and_the_cause_is_logged(
    dialect: str, app: Flask, client: Client, alice: Person, rows: Reader, captured: Captured
) -> None:
    enter_user(app, account="mallory", password=PASSWORD)
    dialect_client, carol = (
        DialectClient(dialect, client),
        Person(alice.wechat, "carol", "13800138009"),
    )
    used, tap = dialect_client.unbound_token(carol), carol.tap_phone_new()
    assert client.post("phone", used, **tap).status_code == 200
    openid = rows("SELECT openid FROM social_accounts")[0][0]
    own, tapped = dialect_client.unbound_token(alice), alice.tap_phone_old()
    others = [dialect_client.unbound_token(alice, other) for other in (ACME_STAFF, GLOBEX_LIFE)]
    cases = [(openid, "token_invalid"), (used, "session_replaced")]
    cases += [(other, "token_of_another_app") for other in others]
    cases += [(own, "session_expired")]
    for unbound_token, failure in cases:
        if failure == "session_expired":
            rows("UPDATE login_sessions SET expires_at = now() - interval '1 second'")
        captured.clear()
        with nothing_written(rows):
            dialect_client.assert_rejected(
                dialect_client.binding_request(unbound_token, **tapped), failure, unbound_token
            )
        assert captured.last["failure"] == failure
        secrets = (unbound_token, PASSWORD, *tapped.values(), "13800138")
        assert not [secret for secret in secrets if secret in captured.text]


@pytest.mark.parametrize("dialect", ["gitegg", "litemall", "uniapp"])
def test_phone_data_of_another_person_is_rejected_in_every_dialect_and_logged(
    dialect: str, client: Client, alice: Person, bob: Person, rows: Reader, captured: Captured
) -> None:
    dialect_client = DialectClient(dialect, client)
    unbound_tokens = {person.name: dialect_client.unbound_token(person) for person in (alice, bob)}
    for person, other in ((alice, bob), (bob, alice)):
        unbound_token, tapped = unbound_tokens[person.name], other.tap_phone_old()
        captured.clear()
        with nothing_written(rows):
            dialect_client.assert_rejected(
                dialect_client.binding_request(unbound_token, **tapped),
                "session_key_expired",
                unbound_token,
            )
        assert captured.last["failure"] == "session_key_expired"
        assert not [
            secret for secret in (unbound_token, *tapped.values()) if secret in captured.text
        ]


@pytest.mark.parametrize("dialect", ["gitegg", "litemall", "checkbind"])
def test_a_wrong_password_is_rejected_in_every_dialect_and_the_cause_is_logged(
    dialect: str, app: Flask, client: Client, alice: Person, rows: Reader, captured: Captured
) -> None:
    enter_user(app, account="mallory", password=PASSWORD)
    dialect_client = DialectClient(dialect, client)
    unbound_token = dialect_client.unbound_token(alice)
    captured.clear()
    with nothing_written(rows):
        dialect_client.assert_rejected(
            dialect_client.password_request(unbound_token, WRONG), "credentials_wrong"
        )
    assert captured.last["failure"] == "credentials_wrong"
    assert not [secret for secret in (unbound_token, WRONG, "mallory") if secret in captured.text]
    assert dialect_client.send(*dialect_client.password_request(unbound_token, PASSWORD)).json[
        ENVELOPES[dialect][0]
    ] in (*(0, 1, 200),)

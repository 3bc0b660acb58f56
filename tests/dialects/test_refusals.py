"""What proves nothing is refused in every dialect alike: told, logged, and without consequence."""

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
# Which field tells the failure and which the message, and what stands for each failure.
SAYS: dict[str, tuple[str, str, dict[str, int]]] = {
    "gitegg": ("code", "msg", dict(zip(FAILURES, (401, 403, 401, 401, 409, 400), strict=True))),
    "litemall": (
        *("errno", "errmsg"),
        dict(zip(FAILURES, (501, 501, 501, 501, 505, 700), strict=True)),
    ),
    "uniapp": ("code", "message", dict(zip(FAILURES, (401, 403, 401, 401, 409, 0), strict=True))),
    "checkbind": ("code", "msg", dict.fromkeys(FAILURES, 0)),
}
DIALECTS = pytest.mark.parametrize("dialect", SAYS)


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch, app: Flask) -> Iterator[Captured]:
    """Log as production does."""
    monkeypatch.setattr(logging.getLogger("werkzeug"), "disabled", True)
    stream = StringIO()
    log_into(stream, as_json=True)
    yield Captured(stream)
    logs.configure(as_json=False)


class Speaker:
    """A client of one dialect: it gets a handle for a code, and spends it."""

    def __init__(self, dialect: str, client: Client) -> None:
        self.dialect, self.client = dialect, client

    def handle(self, person: Person, app: App = ACME_SHOP) -> str:
        """Open a mini-program, and give what its client takes for a key, an openid or a token."""
        body = {"code": person.wx_login(app)}
        ask = {
            "gitegg": ("GET", f"/wx/user/{app.appid}/login", body),
            "litemall": ("POST", "/wx/auth/login_by_weixin", body | {"userInfo": {"gender": 1}}),
            "uniapp": ("POST", "/uni/openid", body),
            "checkbind": ("GET", "/mobileApi/user/checkBind", body),
        }
        told = self.send(*ask[self.dialect], app=app).json
        told = told.get("data", told)
        names = ("bindKey", "sessionKey", "token", "openId")
        return str(next(told[name] for name in names if name in told))

    def spend(self, handle: str, password: str = PASSWORD, **tapped: str) -> tuple[str, str, Any]:
        """Say what binds the handle's person: with a number, or with account and password."""
        credentials = {"username": "mallory", "password": password}
        return {
            "gitegg": (
                *("GET", f"/wx/user/{ACME_SHOP.appid}/phone"),
                {"socialKey": handle} | tapped,
            ),
            "litemall": ("POST", "/wx/auth/bindPhone", tapped),
            "uniapp": ("POST", "/uni/decrypt", {"sessionKey": handle} | tapped),
            "checkbind": ("POST", "/mobileApi/user/login", {"openId": handle} | credentials),
        }[self.dialect]

    def type_password(self, handle: str, password: str) -> tuple[str, str, Any]:
        """Say account and password."""
        credentials = {"username": "mallory", "password": password}
        grant = {"grant_type": "password", **credentials}
        return {
            "gitegg": ("POST", "/oauth/token", grant),
            "litemall": ("POST", "/wx/auth/login", credentials),
            "checkbind": ("POST", "/mobileApi/user/login", {"openId": handle} | credentials),
        }[self.dialect]

    def send(self, method: str, path: str, said: Any, token: str = "", app: App = ACME_SHOP) -> Any:
        """Send it as wx.request does, in English, for the Chinese is each dialect's default."""
        headers = wechat_headers(app) | {"Accept-Language": "en"}
        headers |= {"X-Litemall-Token": token} if token else {}
        how = {"query_string": said} if method == "GET" else {"json": said}
        return self.client.send(method, path, headers=headers, **how)

    def refused(self, ask: tuple[str, str, Any], failure: str, token: str = "") -> None:
        """Demand this dialect's own form of a failure, in English."""
        code, message, numbers = SAYS[self.dialect]
        answer = self.send(*ask, token=token if self.dialect == "litemall" else "")
        assert (answer.status_code, answer.json[code]) == (200, numbers[failure]), answer.text
        assert answer.json[message].isascii()


@DIALECTS
def test_a_handle_that_proves_nothing_is_refused_and_the_log_says_why(
    dialect: str, app: Flask, client: Client, alice: Person, rows: Reader, captured: Captured
) -> None:
    """Otherwise somebody becomes somebody else, or nobody can find out that they tried."""
    enter_user(app, account="mallory", password=PASSWORD)
    speaker, carol = Speaker(dialect, client), Person(alice.wechat, "carol", "13800138009")
    used, tap = speaker.handle(carol), carol.tap_phone_new()
    assert client.post("phone", used, **tap).status_code == 200
    openid = rows("SELECT openid FROM social_accounts")[0][0]
    mine, tapped = speaker.handle(alice), alice.tap_phone_old()
    others = [speaker.handle(alice, other) for other in (ACME_STAFF, GLOBEX_LIFE)]
    cases = [(openid, "token_invalid"), (used, "session_replaced")]
    cases += [(other, "token_of_another_app") for other in others]
    cases += [(mine, "session_expired")]
    for handle, failure in cases:
        if failure == "session_expired":
            rows("UPDATE login_sessions SET expires_at = now() - interval '1 second'")
        captured.clear()
        with nothing_written(rows):
            speaker.refused(speaker.spend(handle, **tapped), failure, handle)
        assert captured.last["failure"] == failure
        secrets = (handle, PASSWORD, *tapped.values(), "13800138")
        assert not [secret for secret in secrets if secret in captured.text]


@pytest.mark.parametrize("dialect", ["gitegg", "litemall", "uniapp"])
def test_what_another_person_tapped_is_refused_and_the_log_says_why(
    dialect: str, client: Client, alice: Person, bob: Person, rows: Reader, captured: Captured
) -> None:
    """Otherwise Alice becomes whoever taps."""
    speaker = Speaker(dialect, client)
    handles = {person.name: speaker.handle(person) for person in (alice, bob)}
    for whose, other in ((alice, bob), (bob, alice)):
        handle, tapped = handles[whose.name], other.tap_phone_old()
        captured.clear()
        with nothing_written(rows):
            speaker.refused(speaker.spend(handle, **tapped), "session_key_expired", handle)
        assert captured.last["failure"] == "session_key_expired"
        assert not [one for one in (handle, *tapped.values()) if one in captured.text]


@pytest.mark.parametrize("dialect", ["gitegg", "litemall", "checkbind"])
def test_a_wrong_password_is_refused_and_the_log_says_why(
    dialect: str, app: Flask, client: Client, alice: Person, rows: Reader, captured: Captured
) -> None:
    """Otherwise a password page lets in, or an attack on it leaves no trace."""
    enter_user(app, account="mallory", password=PASSWORD)
    speaker = Speaker(dialect, client)
    handle = speaker.handle(alice)
    captured.clear()
    with nothing_written(rows):
        speaker.refused(speaker.type_password(handle, WRONG), "credentials_wrong")
    assert captured.last["failure"] == "credentials_wrong"
    assert not [one for one in (handle, WRONG, "mallory") if one in captured.text]
    assert speaker.send(*speaker.type_password(handle, PASSWORD)).json[SAYS[dialect][0]] in (
        *(0, 1, 200),
    )

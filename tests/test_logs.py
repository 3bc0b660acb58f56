"""The log: one JSON object per line, with the values of the request and without secrets."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy.exc import IntegrityError

from app import logs
from app.models import User
from app.models.columns import new_id
from app.services.database.transactions import transaction
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import ACME_SHOP, APPS, Client, Person, WeChat, enter_user, failure

PASSWORD = GOOD_PASSWORD
WRONG_PASSWORD = "incorrect-horse-battery"
TRACE = "trace-0001.of_a-caller"


class Captured:
    """A captured log in production format."""

    def __init__(self, stream: io.StringIO) -> None:
        self.stream = stream

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def last(self) -> dict[str, Any]:
        return self.lines[-1]

    def clear(self) -> None:
        self.stream.seek(0)
        self.stream.truncate()


def log_into(stream: io.StringIO, *, as_json: bool) -> None:
    """Configure logging as in the service, with a stream as its output."""
    logs.configure(as_json=as_json)
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch, app: Flask) -> Iterator[Captured]:
    """Capture the log in production format."""
    # The WeChat simulator runs in this process, and its server logs requests.
    monkeypatch.setattr(logging.getLogger("werkzeug"), "disabled", True)
    stream = io.StringIO()
    log_into(stream, as_json=True)
    yield Captured(stream)
    logs.configure(as_json=False)


@pytest.fixture
def everything(captured: Captured) -> Iterator[Captured]:
    """Set the log level of all libraries to DEBUG. Return the captured log."""
    loggers = [logging.getLogger()]
    loggers += [
        logging.getLogger(name) for name in ("urllib3", "sqlalchemy", "psycopg", "requests")
    ]
    loggers += [logging.getLogger(f"sqlalchemy.{part}") for part in ("engine", "pool", "orm")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield captured
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


class Story:
    """Runs logins and failures of a person, and collects all secrets that occur in them.

    `secrets` maps each secret to its type.
    """

    def __init__(self, client: Client, wechat: WeChat, person: Person) -> None:
        self.client, self.wechat, self.person = client, wechat, person
        self.secrets: dict[str, str] = {app.secret: "AppSecret" for app in APPS}
        self.keep("password", PASSWORD, WRONG_PASSWORD)
        self.keep("phone", "13800138001", "13800138002", "13800138009")

    def keep(self, what: str, *secrets: str) -> None:
        self.secrets |= dict.fromkeys(secrets, what)

    def code(self) -> str:
        code = self.person.wx_login()
        self.keep("code", code)
        key = self.wechat.ask("session-key", person=self.person.name, appid=ACME_SHOP.appid)
        self.keep("session_key", key["session_key"])
        return code

    def kept_tokens(self, tokens: dict[str, Any]) -> dict[str, Any]:
        names = ("token", "refresh_token", "refreshToken", "bindKey")
        self.keep("token", *[tokens[name] for name in names if tokens.get(name)])
        return tokens

    def tap_phone(self) -> dict[str, str]:
        tapped = self.person.tap_phone()
        self.keep("phone code", tapped["code"])
        self.keep("encryptedData", tapped["encryptedData"], tapped["iv"])
        return tapped

    def tell(self) -> None:
        self.native()
        self.gitegg()
        self.failures()
        tokens = self.wechat.ask("tokens", appid=ACME_SHOP.appid)
        assert tokens["stable"]
        self.keep("access token", *tokens["stable"])

    def native(self) -> None:
        client = self.client
        first = self.kept_tokens(client.post("login", code=self.code()).json)["token"]
        info = self.person.tap_user_info()
        self.keep("user info", info["encryptedData"], info["signature"])
        assert client.post("profile", first, **info).status_code == 200
        phone_code = self.tap_phone()["code"]
        bound = self.kept_tokens(client.post("phone", first, code=phone_code).json)
        fresh = client.post("refresh", refresh_token=bound["refresh_token"]).json
        token = self.kept_tokens(fresh)["token"]
        assert client.me(token).status_code == 200
        assert client.post("logout", token).status_code == 204

    def gitegg(self) -> None:
        client, base = self.client, f"/wx/user/{ACME_SHOP.appid}"

        def get(path: str, **query: str) -> Any:
            answer = client.send("GET", f"{base}/{path}", query_string=query).json
            assert answer["code"] == 200, answer
            return answer["data"]

        key = self.kept_tokens(get("login", code=self.code()))["bindKey"]
        get("info", socialKey=key, **self.person.tap_user_info())
        tapped = self.tap_phone()
        data = {name: tapped[name] for name in ("encryptedData", "iv")}
        get("phone", socialKey=key, **data)
        tokens = self.gitegg_tokens(grant_type="social", social_key=key)
        fresh = self.gitegg_tokens(grant_type="refresh_token", refresh_token=tokens["refreshToken"])
        client.send("POST", "/oauth/logout", fresh["token"])

    def gitegg_tokens(self, **form: str) -> dict[str, Any]:
        answer = self.client.send("POST", "/oauth/token", data=form).json
        assert answer["code"] == 200, answer
        return self.kept_tokens(answer["data"])

    def failures(self) -> None:
        client, code = self.client, self.code()
        statuses = [
            client.post("login", code=code).status_code,
            self.log_in_elsewhere(code),
            client.post("login", code="not-a-code-of-anybody").status_code,
            client.post("password-login", account="bob", password=PASSWORD).status_code,
            client.post("password-login", account="bob", password=WRONG_PASSWORD).status_code,
            client.post("login", code=self.code(), surprise=PASSWORD).status_code,
            client.me("wxp_" + "x" * 43).status_code,
        ]
        assert statuses == [200, 400, 400, 200, 401, 422, 401]
        self.wechat.fault("html", path="/wxa/business/getuserphonenumber", times=1)
        token = self.kept_tokens(client.post("login", code=self.code()).json)["token"]
        assert client.post("phone", token, code=self.tap_phone()["code"]).status_code == 503
        # "rate_limited" comes last, because it blocks the device for a minute.
        for kind in ("html", "drop", "truncated", "blocked", "rate_limited"):
            self.wechat.fault(kind, times=1)
            assert client.post("login", code=self.code()).status_code >= 400

    def log_in_elsewhere(self, code: str) -> int:
        """Send a used code from another device. Return the status."""
        path, headers = f"/v1/apps/{ACME_SHOP.appid}/login", {"User-Agent": "another"}
        return self.client.send("POST", path, json={"code": code}, headers=headers).status_code

    def seen_in(self, text: str) -> set[str]:
        """Return the types of the secrets that occur in a text."""
        return {
            what
            for secret, what in self.secrets.items()
            if secret in text or quote(secret, safe="") in text
        }


@pytest.fixture
def story(app: Flask, client: Client, wechat: WeChat, alice: Person) -> Story:
    enter_user(app, account="bob", password=PASSWORD, phone="13800138002")
    return Story(client, wechat, alice)


def test_the_log_of_logins_and_failures_contains_no_secret(
    story: Story, captured: Captured
) -> None:
    story.tell()

    assert len(story.secrets) > 40
    assert len(captured.lines) > 20
    assert story.seen_in(captured.text) == set()


@pytest.mark.real_commits  # SQLAlchemy reads its log level when a connection is opened
def test_the_log_at_level_debug_contains_no_secret(story: Story, everything: Captured) -> None:
    story.tell()

    assert "SELECT" in everything.text
    assert "hide_parameters" in everything.text
    assert story.seen_in(everything.text) == set()
    assert all(isinstance(line, dict) for line in everything.lines)


def test_the_secret_search_of_these_tests_finds_a_logged_secret(
    story: Story, captured: Captured
) -> None:
    story.tell()
    logging.getLogger("careless").warning("session of %s with %s", "+8613800138001", PASSWORD)

    assert story.seen_in(captured.text) == {"phone", "password"}


def test_a_request_is_logged_with_appid_tenant_route_and_status(
    client: Client, captured: Captured, alice: Person
) -> None:
    code = alice.wx_login()
    answer = client.post("login", code=code)

    assert len(captured.lines) == 1
    line = captured.last
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert (line["appid"], line["tenant"]) == (ACME_SHOP.appid, "acme")
    assert (line["event"], line["level"], line["status"]) == ("request", "info", 200)
    assert (line["method"], line["route"]) == ("POST", "/v1/apps/<string:appid>/login")
    assert line["milliseconds"] >= 0
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    ("kind", "errcode", "code"),
    [("blocked", 40226, "wechat_person_blocked"), ("rate_limited", 45011, "wechat_rate_limited")],
)
def test_a_failed_call_to_wechat_is_logged_with_errcode_and_rid(
    kind: str, errcode: int, code: str, client: Client, captured: Captured, alice: Person
) -> None:
    alice.wechat.fault(kind)
    answer = client.post("login", code=alice.wx_login())

    line = captured.last
    assert (line["errcode"], line["failure"], line["status"]) == (errcode, code, answer.status_code)
    assert len(line["rid"].split("-")) == 3
    assert (line["appid"], line["tenant"]) == (ACME_SHOP.appid, "acme")


def test_a_failed_call_to_wechat_by_a_gitegg_client_is_logged_with_errcode_and_rid(
    client: Client, captured: Captured
) -> None:
    path = f"/wx/user/{ACME_SHOP.appid}/login"
    client.send("GET", path, query_string={"code": "not-a-code-of-anybody"})

    line = captured.last
    assert (line["errcode"], line["failure"], line["status"]) == (40029, "code_invalid", 200)
    assert line["rid"]


def test_values_of_a_request_are_not_logged_with_the_next_request(
    client: Client, captured: Captured, alice: Person
) -> None:
    alice.wechat.fault("blocked")
    client.post("login", code=alice.wx_login())
    client.send("GET", "/openapi.json")

    assert set(captured.last) == {
        *("event", "level", "timestamp", "request_id"),
        *("method", "route", "status", "milliseconds"),
    }


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [
        (TRACE, True),
        ("1234567812345678", True),
        ("12345678", False),
        ("x" * 64, True),
        ("1234567", False),
        ("x" * 65, False),
        ("", False),
        ('"},{"event":"', False),
        ("12345678 12345678", False),
        ("请求编号请求编号", False),
    ],
)
def test_a_valid_request_id_is_logged_and_an_invalid_one_is_replaced(
    given: str, is_kept: bool, client: Client, captured: Captured
) -> None:
    answer = client.send("GET", "/v1/me", headers={"X-Request-Id": given})

    assert (captured.last["request_id"] == given) is is_kept
    assert answer.headers["X-Request-Id"] == captured.last["request_id"]
    assert answer.json["request_id"] == captured.last["request_id"]
    assert len(captured.lines) == 1


def test_a_request_is_logged_with_its_route_and_without_path_query_and_referer(
    client: Client, captured: Captured
) -> None:
    client.send("GET", f"/{PASSWORD}/?token={PASSWORD}", headers={"Referer": PASSWORD})

    assert PASSWORD not in captured.text
    assert (captured.last["route"], captured.last["status"]) == (None, 404)


def test_health_checks_are_not_logged(client: Client, captured: Captured) -> None:
    assert client.send("GET", "/healthz").status_code == 200

    assert captured.text == ""


def crash(client: Client, captured: Captured, alice: Person, monkeypatch: Any) -> dict[str, Any]:
    """Make /v1/me raise an exception. Return the log line of the exception."""
    token = client.bind(alice)["token"]
    captured.clear()
    monkeypatch.setattr("app.services.users.users.show_user", fail_with_secrets_in_variables)
    assert failure(client.me(token)) == (500, "internal")
    unexpected, request = captured.lines
    assert (request["status"], request["failure"]) == (500, "internal")
    assert unexpected["request_id"] == request["request_id"]
    assert token not in captured.text
    return unexpected


def fail_with_secrets_in_variables(*_: object) -> None:
    session_key = PASSWORD[::-1][::-1]
    raise RuntimeError(f"the view broke\u2028 at {len(session_key)} 🌸 小花")


def test_an_unexpected_exception_is_logged_without_secrets(
    client: Client, captured: Captured, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = crash(client, captured, alice, monkeypatch)

    assert (line["event"], line["level"]) == ("unexpected", "error")
    assert "Traceback" in line["exception"]
    assert "RuntimeError: the view broke" in line["exception"]
    assert "fail_with_secrets_in_variables" in line["exception"]
    assert PASSWORD not in captured.text
    assert "13800138001" not in captured.text


HASH, ACCOUNT = "$argon2id$its-hash", "an-account"


def insert_invalid_user(*_: object) -> None:
    """Insert a row that violates a check constraint."""
    facts = {"account": ACCOUNT, "password_hash": HASH, "gender": 9}
    with transaction() as db:
        db.add(User(id=new_id(), tenant_id=new_id(), **facts))


def test_a_write_that_postgresql_rejects_is_logged_without_the_row(
    client: Client, captured: Captured, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = client.bind(alice)["token"]
    captured.clear()
    monkeypatch.setattr("app.services.users.users.show_user", insert_invalid_user)
    assert failure(client.me(token)) == (500, "internal")

    exception = captured.lines[0]["exception"]
    assert IntegrityError.__name__ in exception
    assert "ck_users_gender" in exception
    assert "insert_invalid_user" in exception
    assert exception.count("DETAIL: (not logged)") == 2
    for hidden in (HASH, ACCOUNT, "Failing row"):
        assert hidden not in captured.text


def test_request_lines_with_a_query_are_not_logged_by_the_development_server(
    captured: Captured,
) -> None:
    logger = logging.getLogger("werkzeug")
    logger.disabled = False
    logger.setLevel(logging.INFO)
    logger.info('127.0.0.1 - - "%s" 200', f"GET /wx/user/wx1/login?code={PASSWORD} HTTP/1.1")
    logger.info(" * Running on %s", "http://127.0.0.1:5000")

    assert PASSWORD not in captured.text
    assert "Running on" in captured.last["event"]


def test_tracebacks_in_text_format_contain_no_local_variables(
    client: Client, captured: Captured, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_into(captured.stream, as_json=False)
    token = client.bind(alice)["token"]
    captured.clear()
    monkeypatch.setattr("app.services.users.users.show_user", fail_with_secrets_in_variables)
    client.me(token)

    assert "RuntimeError: the view broke" in captured.text
    assert PASSWORD not in captured.text
    assert token not in captured.text


class UnwritableStream(io.StringIO):
    """A log stream whose writes fail, as on a full disk or a closed pipe."""

    def write(self, _: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


def test_requests_succeed_if_the_log_cannot_be_written(
    client: Client, captured: Captured, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_into(UnwritableStream(), as_json=True)
    monkeypatch.setattr(logging, "raiseExceptions", False)
    assert client.post("login", code=alice.wx_login()).status_code == 200
    assert client.me("wxp_" + "x" * 43).status_code == 401

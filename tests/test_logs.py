"""The logs: one JSON object a line, enough in it to find a fault, and never a secret."""

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
    """What was logged, as it is written in production."""

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
    """Log as the service does, but into memory."""
    logs.configure(as_json=as_json)
    (ours,) = logging.getLogger().handlers
    assert isinstance(ours, logging.StreamHandler)
    ours.setStream(stream)


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch, app: Flask) -> Iterator[Captured]:
    """Log as production does."""
    # The simulated WeChat runs in this process too, and its server logs requests.
    monkeypatch.setattr(logging.getLogger("werkzeug"), "disabled", True)
    stream = io.StringIO()
    log_into(stream, as_json=True)
    yield Captured(stream)
    logs.configure(as_json=False)


@pytest.fixture
def everything(captured: Captured) -> Iterator[Captured]:
    """Log whatever any library has to say."""
    loggers = [logging.getLogger()]
    loggers += [
        logging.getLogger(name) for name in ("urllib3", "sqlalchemy", "psycopg", "requests")
    ]
    loggers += [logging.getLogger(f"sqlalchemy.{part}") for part in ("engine", "pool", "orm")]
    kept = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield captured
    for logger, level in zip(loggers, kept, strict=True):
        logger.setLevel(level)


class Story:
    """A person's whole story, and every secret that takes part in it."""

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
        asked = self.wechat.ask("session-key", person=self.person.name, appid=ACME_SHOP.appid)
        self.keep("session_key", asked["session_key"])
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
        for kind in ("html", "drop", "truncated", "blocked", "rate_limited"):
            self.wechat.fault(kind, times=1)
            assert client.post("login", code=self.code()).status_code >= 400
        self.wechat.fault("html", path="/wxa/business/getuserphonenumber", times=1)
        token = self.kept_tokens(client.post("login", code=self.code()).json)["token"]
        assert client.post("phone", token, code=self.tap_phone()["code"]).status_code == 503

    def log_in_elsewhere(self, code: str) -> int:
        """Send a code that was used here from another device."""
        path, headers = f"/v1/apps/{ACME_SHOP.appid}/login", {"User-Agent": "another"}
        return self.client.send("POST", path, json={"code": code}, headers=headers).status_code

    def seen_in(self, text: str) -> set[str]:
        """Say which secrets are in a text."""
        return {
            what
            for secret, what in self.secrets.items()
            if secret in text or quote(secret, safe="") in text
        }


@pytest.fixture
def story(app: Flask, client: Client, wechat: WeChat, alice: Person) -> Story:
    enter_user(app, account="bob", password=PASSWORD, phone="13800138002")
    return Story(client, wechat, alice)


def test_a_secret_of_the_story_is_in_the_log(story: Story, captured: Captured) -> None:
    story.tell()

    assert len(story.secrets) > 40
    assert len(captured.lines) > 20
    assert story.seen_in(captured.text) == set()


@pytest.mark.real_commits  # SQLAlchemy asks for its log level when a connection is taken
def test_a_secret_is_in_the_log_when_every_library_logs_all_it_can(
    story: Story, everything: Captured
) -> None:
    story.tell()

    assert "SELECT" in everything.text
    assert "hide_parameters" in everything.text
    assert story.seen_in(everything.text) == set()
    assert all(isinstance(line, dict) for line in everything.lines)


def test_the_search_for_secrets_finds_none_because_it_is_blind(
    story: Story, captured: Captured
) -> None:
    story.tell()
    logging.getLogger("careless").warning("session of %s with %s", "+8613800138001", PASSWORD)

    assert story.seen_in(captured.text) == {"phone", "password"}


def test_a_request_leaves_no_line_or_one_without_its_app(
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
def test_what_wechat_said_is_not_in_the_log(
    kind: str, errcode: int, code: str, client: Client, captured: Captured, alice: Person
) -> None:
    alice.wechat.fault(kind)
    answer = client.post("login", code=alice.wx_login())

    line = captured.last
    assert (line["errcode"], line["failure"], line["status"]) == (errcode, code, answer.status_code)
    assert len(line["rid"].split("-")) == 3
    assert (line["appid"], line["tenant"]) == (ACME_SHOP.appid, "acme")


def test_what_wechat_said_to_a_gitegg_client_is_not_in_the_log(
    client: Client, captured: Captured
) -> None:
    path = f"/wx/user/{ACME_SHOP.appid}/login"
    client.send("GET", path, query_string={"code": "not-a-code-of-anybody"})

    line = captured.last
    assert (line["errcode"], line["failure"], line["status"]) == (40029, "code_invalid", 200)
    assert line["rid"]


def test_one_requests_facts_are_told_of_the_next(
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
def test_a_request_cannot_be_followed_or_its_id_forges_lines(
    given: str, is_kept: bool, client: Client, captured: Captured
) -> None:
    answer = client.send("GET", "/v1/me", headers={"X-Request-Id": given})

    assert (captured.last["request_id"] == given) is is_kept
    assert answer.headers["X-Request-Id"] == captured.last["request_id"]
    assert answer.json["request_id"] == captured.last["request_id"]
    assert len(captured.lines) == 1


def test_a_path_with_a_secret_in_it_is_logged(client: Client, captured: Captured) -> None:
    client.send("GET", f"/{PASSWORD}/?token={PASSWORD}", headers={"Referer": PASSWORD})

    assert PASSWORD not in captured.text
    assert (captured.last["route"], captured.last["status"]) == (None, 404)


def test_the_machinery_fills_the_log(client: Client, captured: Captured) -> None:
    assert client.send("GET", "/healthz").status_code == 200

    assert captured.text == ""


def crash(client: Client, captured: Captured, alice: Person, mocked: Any) -> dict[str, Any]:
    """Let a view crash, and give the line that tells of it."""
    token = client.bind(alice)["token"]
    captured.clear()
    mocked.setattr("app.services.users.users.show_user", crash_with_secrets_at_hand)
    assert failure(client.me(token)) == (500, "internal")
    unexpected, request = captured.lines
    assert (request["status"], request["failure"]) == (500, "internal")
    assert unexpected["request_id"] == request["request_id"]
    assert token not in captured.text
    return unexpected


def crash_with_secrets_at_hand(*_: object) -> None:
    session_key = PASSWORD[::-1][::-1]
    raise RuntimeError(f"the view broke\u2028 at {len(session_key)} 🌸 小花")


def test_a_crash_is_not_told_or_tells_too_much(
    client: Client, captured: Captured, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = crash(client, captured, alice, monkeypatch)

    assert (line["event"], line["level"]) == ("unexpected", "error")
    assert "Traceback" in line["exception"]
    assert "RuntimeError: the view broke" in line["exception"]
    assert "crash_with_secrets_at_hand" in line["exception"]
    assert PASSWORD not in captured.text
    assert "13800138001" not in captured.text


HASH, ACCOUNT = "$argon2id$its-hash", "an-account"


def refused_write(*_: object) -> None:
    """Write what the database refuses for a reason that no service expects."""
    facts = {"account": ACCOUNT, "password_hash": HASH, "gender": 9}
    with transaction() as db:
        db.add(User(id=new_id(), tenant_id=new_id(), **facts))


def test_a_refused_write_puts_the_whole_row_into_the_log(
    client: Client, captured: Captured, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = client.bind(alice)["token"]
    captured.clear()
    monkeypatch.setattr("app.services.users.users.show_user", refused_write)
    assert failure(client.me(token)) == (500, "internal")

    told = captured.lines[0]["exception"]
    assert IntegrityError.__name__ in told
    assert "ck_users_gender" in told
    assert "refused_write" in told
    assert told.count("DETAIL: (not logged)") == 2
    for kept_back in (HASH, ACCOUNT, "Failing row"):
        assert kept_back not in captured.text


def test_a_query_of_a_client_is_logged_by_the_development_server(captured: Captured) -> None:
    logger = logging.getLogger("werkzeug")
    logger.disabled = False
    logger.setLevel(logging.INFO)
    logger.info('127.0.0.1 - - "%s" 200', f"GET /wx/user/wx1/login?code={PASSWORD} HTTP/1.1")
    logger.info(" * Running on %s", "http://127.0.0.1:5000")

    assert PASSWORD not in captured.text
    assert "Running on" in captured.last["event"]


def test_development_prints_the_variables_around_a_crash(
    client: Client, captured: Captured, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_into(captured.stream, as_json=False)
    token = client.bind(alice)["token"]
    captured.clear()
    monkeypatch.setattr("app.services.users.users.show_user", crash_with_secrets_at_hand)
    client.me(token)

    assert "RuntimeError: the view broke" in captured.text
    assert PASSWORD not in captured.text
    assert token not in captured.text


class Broken(io.StringIO):
    """A log that nobody reads any more, or on a disk that is full."""

    def write(self, _: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


def test_a_log_that_cannot_be_written_fails_requests(
    client: Client, captured: Captured, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_into(Broken(), as_json=True)
    monkeypatch.setattr(logging, "raiseExceptions", False)
    assert client.post("login", code=alice.wx_login()).status_code == 200
    assert client.me("wxp_" + "x" * 43).status_code == 401

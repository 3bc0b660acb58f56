"""Failures: format, codes, languages, and an unavailable database."""

import dataclasses
import json
import re
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy.exc import TimeoutError as PoolExhausted

from app import create_app, wechat
from app.errors import FAILURES, Failure, Internal, TooManyTries, as_failure
from app.problems import RETRY_AFTER, failure_of, problem_response
from app.version import VERSION
from config import Config
from tests.api.test_bad_input import ROUTES
from tests.fixtures.personas import Client, Person, Reader, failure

UNAVAILABLE = (503, "database_unavailable")


def kinds(base: type) -> Iterator[type]:
    """Yield the subclasses of a class."""
    for kind in base.__subclasses__():
        yield kind
        yield from kinds(kind)


def test_every_failure_has_a_unique_code_a_status_and_a_message() -> None:
    failures = [kind for kind in kinds(Failure) if kind.__module__ == "app.errors"]
    assert len({kind.code for kind in failures}) == len(failures)
    assert len({kind.en for kind in failures}) == len(failures)
    for kind in failures:
        assert FAILURES[kind.code] is kind
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)
        assert kind.status in {400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 500, 502, 503}
        assert kind.en.endswith(".")
        assert kind.en.isascii()
    assert set(RETRY_AFTER) <= set(FAILURES)


def test_every_exception_of_the_wechat_layer_has_a_failure() -> None:
    pushes = {wechat.PushError, *kinds(wechat.PushError)}
    for kind in set(kinds(wechat.WeChatError)) - pushes - {wechat.OpenDataError}:
        assert not isinstance(as_failure(kind()), Internal), kind


@pytest.mark.parametrize(
    ("accepted", "is_chinese"),
    [
        ("zh-CN", True),
        ("zh", True),
        ("zh-Hans-CN,en;q=0.5", True),
        ("zh-TW,en;q=0.9", True),
        ("fr,zh;q=0.5,en;q=0.4", True),
        ("en-US,zh;q=0.9", False),
        ("fr", False),
        ("*", False),
        ("zh;q=0", False),
        (";;,q=x", False),
        ("", False),
        (None, False),
    ],
)
def test_messages_are_in_the_accepted_language(
    accepted: str | None, is_chinese: bool, client: Client
) -> None:
    headers = {} if accepted is None else {"Accept-Language": accepted}
    problem = client.send("GET", "/v1/me", headers=headers).json
    assert problem["detail"] == ("请先登录。" if is_chinese else "Please log in first.")


def test_a_problem_has_the_format_of_rfc_9457(client: Client) -> None:
    answer = client.send("GET", "/v1/me")
    assert failure(answer) == (401, "token_missing")
    assert answer.json == {
        "type": "urn:wxpass:problem:token_missing",
        "title": "token missing",
        "status": 401,
        "code": "token_missing",
        "detail": FAILURES["token_missing"].en,
        "request_id": answer.headers["X-Request-Id"],
    }


def test_an_unexpected_exception_is_reported_without_its_text(
    client: Client, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = client.bind(bob)["token"]

    def fail(*_: object) -> None:
        raise RuntimeError("the secret is 42")

    monkeypatch.setattr("app.services.users.users.get_profile", fail)
    answer = client.me(token)
    assert failure(answer) == (500, "internal")
    assert "secret is" not in answer.text
    assert "RuntimeError" not in answer.text


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [
        (1, "Try again in 1 minute.", "请在 1 分钟后重试。"),
        (60, "Try again in 1 minute.", "请在 1 分钟后重试。"),
        (61, "Try again in 2 minutes.", "请在 2 分钟后重试。"),
        (900, "Try again in 15 minutes.", "请在 15 分钟后重试。"),
    ],
)
def test_the_message_of_a_throttled_request_states_the_waiting_time_in_minutes(
    app: Flask, seconds: int, english: str, chinese: str
) -> None:
    """`Retry-After` is in seconds."""
    for language, text in (("en", english), ("zh-CN", chinese)):
        with app.test_request_context(headers={"Accept-Language": language}):
            answer = problem_response(TooManyTries(retry_after=seconds))
        assert json.loads(answer.data)["detail"].endswith(text)
        assert answer.headers["Retry-After"] == str(seconds)


@pytest.fixture
def without_database(config: Config) -> Client:
    """The service with an unreachable database."""
    away = "postgresql+psycopg://nobody@127.0.0.1:1/nothing"
    return Client(create_app(dataclasses.replace(config, database_url=away)))


def test_an_unreachable_database_is_answered_with_503(without_database: Client) -> None:
    for route in ROUTES.values():
        answer = route.send(without_database, "wxp_", json=route.body)
        assert failure(answer) == UNAVAILABLE
        assert answer.headers["Retry-After"] == "5"
    assert failure(without_database.me("wxp_")) == UNAVAILABLE
    assert failure(without_database.send("GET", "/readyz")) == UNAVAILABLE


def test_the_health_check_succeeds_without_the_database(without_database: Client) -> None:
    assert without_database.send("GET", "/healthz").json == {"status": "ok", "version": VERSION}


def test_an_exhausted_pool_is_answered_with_503(app: Flask) -> None:
    with app.test_request_context():
        assert failure_of(PoolExhausted()).code == "database_unavailable"


@pytest.mark.parametrize(
    "change",
    ["UPDATE alembic_version SET version_num = '0000'", "DELETE FROM alembic_version"],
)
def test_a_database_of_another_version_is_not_ready(
    change: str, client: Client, rows: Reader
) -> None:
    assert client.send("GET", "/readyz").json == {"status": "ready"}
    rows(change)
    assert failure(client.send("GET", "/readyz")) == (503, "migrations_missing")
    assert client.send("GET", "/healthz").status_code == 200

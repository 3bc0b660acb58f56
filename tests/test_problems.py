"""Error responses: format, codes, languages, and an unavailable database."""

import dataclasses
import json
import re
from collections.abc import Iterator

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolExhausted

from app import create_app, wechat
from app.errors import FAILURES, Failure, Internal, TooManyTries, as_failure
from app.problems import RETRY_AFTER, failure_of, problem_response
from app.services.database.transactions import transaction
from app.services.encryption.readiness import newest_migration
from app.services.login import login
from app.settings import MIGRATIONS
from app.version import VERSION
from config import Config
from tests.api.test_bad_input import ROUTES
from tests.fixtures.personas import Client, Person, Reader, failure
from tests.fixtures.traces import captured_logs

# Any text with the form of a login token.
TOKEN = "wxp_" + "A" * 64
UNAVAILABLE = (503, "database_unavailable")
HEAD = newest_migration(MIGRATIONS)


def subclasses(base: type) -> Iterator[type]:
    """Yield all direct and indirect subclasses of a class."""
    for kind in base.__subclasses__():
        yield kind
        yield from subclasses(kind)


def test_every_failure_class_has_a_unique_code_a_valid_status_and_a_message() -> None:
    failures = [kind for kind in subclasses(Failure) if kind.__module__ == "app.errors"]
    assert len({kind.code for kind in failures}) == len(failures)
    assert len({kind.en for kind in failures}) == len(failures)
    for kind in failures:
        assert FAILURES[kind.code] is kind
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)
        assert kind.status in {400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 500, 502, 503}
        assert kind.en.endswith(".")
        assert kind.en.isascii()
    assert set(RETRY_AFTER) <= set(FAILURES)


def test_every_wechat_exception_maps_to_an_error_code() -> None:
    pushes = {wechat.PushError, *subclasses(wechat.PushError)}
    for kind in set(subclasses(wechat.WeChatError)) - pushes - {wechat.OpenDataError}:
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
def test_error_messages_are_in_the_language_of_accept_language(
    accepted: str | None, is_chinese: bool, client: Client
) -> None:
    headers = {} if accepted is None else {"Accept-Language": accepted}
    problem = client.send("GET", "/v1/me", headers=headers).json
    assert problem["detail"] == ("请先登录。" if is_chinese else "Please log in first.")


def test_an_error_response_has_the_fields_of_an_rfc_9457_problem(client: Client) -> None:
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


def test_an_unexpected_exception_gets_500_without_the_exception_text(
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
    """The Retry-After header is in seconds."""
    for language, message in (("en", english), ("zh-CN", chinese)):
        with app.test_request_context(headers={"Accept-Language": language}):
            answer = problem_response(TooManyTries(retry_after=seconds))
        assert json.loads(answer.data)["detail"].endswith(message)
        assert answer.headers["Retry-After"] == str(seconds)


@pytest.fixture
def without_database(config: Config) -> Client:
    """Return a client of a service whose database is unreachable."""
    away = "postgresql+psycopg://nobody@127.0.0.1:1/nothing"
    return Client(create_app(dataclasses.replace(config, database_url=away)))


def test_every_route_responds_503_while_the_database_is_unreachable(
    without_database: Client,
) -> None:
    for route in ROUTES.values():
        answer = route.send(without_database, TOKEN, json=route.body)
        assert failure(answer) == UNAVAILABLE
        assert answer.headers["Retry-After"] == "5"
    assert failure(without_database.me(TOKEN)) == UNAVAILABLE
    assert failure(without_database.send("GET", "/readyz")) == UNAVAILABLE


def test_healthz_responds_200_while_the_database_is_unreachable(without_database: Client) -> None:
    assert without_database.send("GET", "/healthz").json == {"status": "ok", "version": VERSION}


def test_an_exhausted_connection_pool_maps_to_database_unavailable(app: Flask) -> None:
    with app.test_request_context():
        assert failure_of(PoolExhausted()).code == "database_unavailable"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE alembic_version SET version_num = '0020'",
        "DELETE FROM alembic_version",
        "DELETE FROM schema_compatibility",
        "DROP TABLE schema_compatibility",
    ],
)
def test_readyz_fails_if_the_schema_is_older_than_the_release_needs(
    change: str, client: Client, rows: Reader
) -> None:
    assert client.send("GET", "/readyz").json == {"status": "ready"}
    rows(change)
    assert failure(client.send("GET", "/readyz")) == (503, "migrations_missing")
    assert client.send("GET", "/healthz").status_code == 200


@pytest.mark.parametrize(
    ("compatible_since", "answer"),
    [("0021", 200), (HEAD, 200), ("9998", 503), ("9999", 503)],
)
def test_readyz_with_a_newer_schema_depends_on_the_releases_it_is_compatible_with(
    compatible_since: str, answer: int, client: Client, rows: Reader
) -> None:
    rows("UPDATE alembic_version SET version_num = '9999'")
    rows("UPDATE schema_compatibility SET compatible_since = :since", since=compatible_since)
    response = client.send("GET", "/readyz")
    assert response.status_code == answer
    assert answer == 200 or failure(response) == (503, "release_outdated")


@pytest.mark.real_commits
def test_log_line_of_a_database_failure_contains_the_sqlstate(
    client: Client, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statement is cancelled by PostgreSQL's statement_timeout."""

    def exceed_the_statement_timeout(*_: object) -> None:
        with transaction() as session:
            session.execute(text("SET LOCAL statement_timeout = 10"))
            session.execute(text("SELECT pg_sleep(1)"))

    code = alice.wx_login()
    monkeypatch.setattr(login, "try_fast_login", exceed_the_statement_timeout)
    with captured_logs(monkeypatch) as logs:
        assert failure(client.post("login", code=code)) == UNAVAILABLE
    assert "QueryCanceled 57014" in logs.read()["service"]


def test_cause_of_a_refused_connection_is_the_sqlstate_of_the_connection_limit(app: Flask) -> None:
    """A failed connection has no SQLSTATE, so it is derived from PostgreSQL's message."""
    refused = psycopg.OperationalError("FATAL: sorry, too many clients already")
    with app.test_request_context():
        assert failure_of(refused).cause == "OperationalError 53300"

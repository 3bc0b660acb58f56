"""Levels of log lines, SQLSTATE, trace ids and sampling."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
import structlog
from flask import Flask
from sqlalchemy.exc import OperationalError, TimeoutError

from app.logs.sampling import Sampling
from tests.fixtures.personas import ACME_SHOP, Client, Person, Reader, failure
from tests.test_logs import Captured, captured, insert_invalid_user

__all__ = ["captured"]

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{SPAN}-01"}


def log_in(client: Client, alice: Person) -> Any:
    return client.post("login", code=alice.wx_login())


@pytest.mark.parametrize(
    ("errcode", "level", "remedy"),
    [
        (40125, "warning", "wechat-credentials"),
        (40164, "warning", "wechat-ip-whitelist"),
        (45009, "warning", "wechat-quota"),
        (45011, "warning", "wechat-quota"),
        (48001, "warning", "wechat-credentials"),
        (-1, "warning", "wechat-unanswered"),
        (40029, "info", None),
        (40226, "info", None),
        (50002, "info", None),
    ],
)
def test_a_refusal_of_wechat_that_needs_an_operator_is_a_warning_with_its_remedy(
    client: Client,
    captured: Captured,
    alice: Person,
    errcode: int,
    level: str,
    remedy: str | None,
) -> None:
    alice.wechat.fault("errcode", errcode=errcode)
    log_in(client, alice)

    line = captured.last
    assert (line["event"], line["level"], line["errcode"]) == ("request", level, errcode)
    assert line.get("remedy") == (remedy and f"docs/monitoring.md#{remedy}")
    assert (line["appid"], line["tenant"]) == (ACME_SHOP.appid, "acme")
    assert "rid" in line


def test_requests_of_a_disabled_app_are_warnings(
    client: Client, captured: Captured, rows: Reader, alice: Person
) -> None:
    rows("UPDATE wechat_apps SET enabled = false")
    assert failure(log_in(client, alice)) == (403, "app_disabled")

    assert captured.last["level"] == "warning"
    assert captured.last["remedy"] == "docs/monitoring.md#disabled-app-or-tenant"


@pytest.fixture
def shop_at_call_limit(app: Flask) -> Iterator[None]:
    """Occupy all call slots of the shop, with caches that are up to date."""
    caches = app.extensions["caches"].of_this_process()
    caches.changes.begin()
    caches.changes.mark_fresh(float("inf"))
    limits = app.extensions["call_limits"]
    with ExitStack() as held:
        for _ in range(limits.per_app):
            held.enter_context(limits.slot(ACME_SHOP.appid))
        yield
    caches._clear()


@pytest.mark.usefixtures("shop_at_call_limit")
def test_a_refusal_of_a_momentary_overload_is_information_although_its_status_is_503(
    client: Client, captured: Captured, alice: Person
) -> None:
    """The second and the third are answered before Flask."""
    for _ in range(3):
        path = f"/v1/apps/{ACME_SHOP.appid}/login"
        code = alice.wx_login()
        client.send("POST", path, json={"code": code}, headers=dict(TRACEPARENT))
    for line in captured.lines:
        assert (line["level"], line["status"]) == ("info", 503)
        assert (line["appid"], line["tenant"]) == (ACME_SHOP.appid, "acme")
        assert (line["trace_id"], line["parent_id"]) == (TRACE, SPAN)
    assert len(captured.lines) == 3


def test_a_client_error_is_information(client: Client, captured: Captured) -> None:
    assert client.me("wxp_" + "x" * 43).status_code == 401
    assert captured.last["level"] == "info"
    assert "remedy" not in captured.last


def read_with(error: Exception, monkeypatch: pytest.MonkeyPatch, client: Client, token: str) -> Any:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("app.services.users.users.show_user", fail)
    return client.me(token)


@pytest.mark.parametrize(
    ("error", "sqlstate"),
    [
        (psycopg.errors.QueryCanceled("canceling statement"), "57014"),
        (psycopg.errors.AdminShutdown("terminating connection"), "57P01"),
        (psycopg.OperationalError("FATAL: sorry, too many clients already"), "53300"),
        (psycopg.OperationalError("the server did not respond in time"), None),
        (OperationalError("SELECT", {}, psycopg.errors.QueryCanceled("canceling")), "57014"),
        (TimeoutError("QueuePool limit reached"), None),
    ],
)
def test_a_failed_database_is_an_error_with_its_sqlstate(
    client: Client,
    captured: Captured,
    alice: Person,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    sqlstate: str | None,
) -> None:
    token = client.bind(alice)["token"]
    answer = read_with(error, monkeypatch, client, token)
    assert failure(answer) == (503, "database_unavailable")

    line = captured.last
    assert (line["event"], line["level"]) == ("request", "error")
    assert line.get("sqlstate") == sqlstate
    assert line["remedy"] == "docs/monitoring.md#database-unavailable"


def test_a_rejected_write_is_an_error_with_sqlstate_and_constraint_but_no_value(
    client: Client, captured: Captured, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = client.bind(alice)["token"]
    captured.clear()
    monkeypatch.setattr("app.services.users.users.show_user", insert_invalid_user)
    assert failure(client.me(token)) == (500, "internal")

    for line in captured.lines:
        assert (line["sqlstate"], line["constraint"]) == ("23514", "ck_users_gender")
        assert line["level"] == "error"
    assert [line["event"] for line in captured.lines] == ["unexpected", "request"]


def test_a_failure_of_an_existing_client_has_the_level_of_the_native_one(
    client: Client, captured: Captured, alice: Person
) -> None:
    """The status of the response is 200 there."""
    alice.wechat.fault("errcode", errcode=40164)
    path = f"/wx/user/{ACME_SHOP.appid}/login"
    client.send("GET", path, query_string={"code": alice.wx_login()})

    assert (captured.last["status"], captured.last["level"]) == (200, "warning")
    assert captured.last["remedy"] == "docs/monitoring.md#wechat-ip-whitelist"


def test_lines_with_a_database_error_outside_of_requests_have_its_sqlstate(
    captured: Captured,
) -> None:
    error = psycopg.errors.QueryCanceled("canceling statement")
    structlog.get_logger().error("push_failed", exc_info=error)

    assert (captured.last["sqlstate"], captured.last["level"]) == ("57014", "error")


def test_every_line_of_a_request_has_the_ids_that_the_client_sent(
    client: Client, captured: Captured, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = client.bind(alice)["token"]
    captured.clear()
    monkeypatch.setattr("app.services.users.users.show_user", insert_invalid_user)
    client.send("GET", "/v1/me", token, headers=dict(TRACEPARENT))

    assert [line["event"] for line in captured.lines] == ["unexpected", "request"]
    assert {(line["trace_id"], line["parent_id"]) for line in captured.lines} == {(TRACE, SPAN)}


@pytest.mark.parametrize("value", ["", "00-x", f"00-{TRACE}-{SPAN}-01-more", "secret"])
def test_a_malformed_traceparent_is_neither_logged_nor_an_error(
    client: Client, captured: Captured, value: str
) -> None:
    assert client.send("GET", "/openapi.json", headers={"traceparent": value}).status_code == 200
    assert "trace_id" not in captured.last
    assert "secret" not in captured.text


@pytest.fixture
def sample(app: Flask) -> Iterator[Any]:
    """A function that sets the share of successful lines."""
    before = app.extensions["success_sampling"]
    users = [app.extensions, *(vars(one) for one in middlewares(app))]

    def set_rate(rate: float) -> None:
        for one in users:
            name = "success_sampling" if one is app.extensions else "_sampling"
            one[name] = Sampling(rate, b"k" * 32)

    yield set_rate
    for one in users:
        one["success_sampling" if one is app.extensions else "_sampling"] = before


def middlewares(app: Flask) -> list[Any]:
    found: list[Any] = []
    one: Any = app.wsgi_app
    while hasattr(one, "_behind"):
        found.append(one)
        one = one._behind
    return found


def test_a_rate_of_0_writes_refusals_and_errors_only(
    client: Client, captured: Captured, alice: Person, sample: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample(0.0)
    token = client.bind(alice)["token"]
    assert client.me(token).status_code == 200
    assert captured.text == ""

    assert client.me("wxp_" + "x" * 43).status_code == 401
    alice.wechat.fault("errcode", errcode=40164)
    log_in(client, alice)
    read_with(psycopg.errors.QueryCanceled("canceling"), monkeypatch, client, token)
    assert [line["level"] for line in captured.lines] == ["info", "warning", "error"]
    assert not any("sample_rate" in line for line in captured.lines)


def test_a_failure_with_status_200_is_not_sampled(
    client: Client, captured: Captured, sample: Any
) -> None:
    sample(0.0)
    path = f"/wx/user/{ACME_SHOP.appid}/login"
    client.send("GET", path, query_string={"code": "not-a-code-of-anybody"})

    assert (captured.last["status"], captured.last["failure"]) == (200, "code_invalid")


def test_sampled_lines_have_the_rate_and_a_line_left_out_is_not_rendered(
    client: Client, captured: Captured, sample: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample(0.5)
    rendered: list[object] = []
    monkeypatch.setattr("app.logs._encode", lambda event: rendered.append(event) or "{}")
    for _ in range(60):
        client.send("GET", "/openapi.json")

    assert 5 < len(rendered) < 55
    assert {event["sample_rate"] for event in rendered} == {0.5}  # type: ignore[index]


def test_all_requests_of_a_trace_are_logged_or_none(
    client: Client, captured: Captured, sample: Any
) -> None:
    sample(0.5)
    for _ in range(3):
        for number in range(1, 31):
            headers = {"traceparent": f"00-{number:032x}-{SPAN}-00"}
            client.send("GET", "/openapi.json", headers=headers)

    traces = [line["trace_id"] for line in captured.lines]
    assert {traces.count(one) for one in traces} == {3}
    assert 3 < len(set(traces)) < 27


def test_without_sampling_lines_have_no_rate(client: Client, captured: Captured) -> None:
    client.send("GET", "/openapi.json")
    assert "sample_rate" not in captured.last

"""Durations of requests that Flask, the fast path and the middleware of busy apps answer."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from flask import Flask

from app.metrics.definitions import FAILURES, HTTP_SECONDS, LOGINS, OTHER, WECHAT_REJECTED
from app.services.apps.call_limits import CallLimits
from app.services.cache.registry import Caches
from tests.fixtures.personas import ACME_SHOP, Client, Person, failure
from tests.metrics.recorded import RecordedMetrics

LOGIN = "/v1/apps/<string:appid>/login"
UNKNOWN = "wx" + "9" * 16


@pytest.fixture
def fresh_caches(app: Flask) -> Iterator[Caches]:
    """Caches that are used without an invalidation listener."""
    caches: Caches = app.extensions["caches"].of_this_process()
    caches.changes.begin()
    caches.changes.mark_fresh(float("inf"))
    yield caches
    caches._clear()


def test_routes_are_templates_and_unknown_paths_and_methods_are_no_labels(
    client: Client, alice: Person, recorded: RecordedMetrics
) -> None:
    client.log_in(alice)
    client.send("GET", "/v1/secret-path/13800138001")
    client.send("BREW", "/v1/me")
    assert set(recorded.of(HTTP_SECONDS)) == {
        (LOGIN, "POST", "200"),
        ("unmatched", "GET", "404"),
        ("unmatched", OTHER, "405"),
    }


@pytest.mark.parametrize("path", ["/v1/verify", "/v1/me"])
def test_requests_that_the_fast_path_answers_are_counted(
    client: Client, alice: Person, fresh_caches: Caches, recorded: RecordedMetrics, path: str
) -> None:
    token = client.bind(alice)["token"]
    client.send("GET", path, token)
    before = recorded.of(HTTP_SECONDS)
    status = client.send("GET", path, token).status_code
    after = recorded.of(HTTP_SECONDS)
    key = (path, "GET", str(status))
    assert after[key] == before[key] + 1


def test_logins_that_are_refused_before_flask_are_counted(
    app: Flask, client: Client, alice: Person, recorded: RecordedMetrics
) -> None:
    """Flask makes the first refusal, and the middleware repeats it."""
    limits: CallLimits = app.extensions["call_limits"]
    with ExitStack() as held:
        for _ in range(limits.per_app):
            held.enter_context(limits.slot(ACME_SHOP.appid))
        for _ in range(3):
            answer = client.post("login", code=alice.wx_login())
            assert failure(answer) == (503, "wechat_busy")
    assert recorded.of(HTTP_SECONDS)[LOGIN, "POST", "503"] == 3
    assert recorded.of(LOGINS) == {(ACME_SHOP.appid, "code", "refused"): 3.0}
    assert recorded.of(FAILURES) == {(ACME_SHOP.appid, "wechat_busy"): 3.0}
    assert recorded.of(WECHAT_REJECTED) == {(ACME_SHOP.appid, "app_limit"): 3.0}


def test_unknown_and_malformed_appids_are_no_labels(
    client: Client, alice: Person, recorded: RecordedMetrics
) -> None:
    for appid in (UNKNOWN, "nonsense", "%00", "x" * 500):
        client.send("POST", f"/v1/apps/{appid}/login", json={"code": "secret"})
    assert {app for app, _ in recorded.of(FAILURES)} == {OTHER}
    assert recorded.of(LOGINS) == {}

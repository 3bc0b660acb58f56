"""Middleware that rejects logins to apps at their limit of calls to WeChat."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.api import busy_apps
from app.api.busy_apps import BusyApps
from app.identity_fast_path import BYPASSED_HOOKS
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, Client, Person, failure

VARYING = {"X-Request-Id", "Retry-After", "Content-Length"}


@pytest.fixture
def shop_at_call_limit(app: Flask) -> Iterator[None]:
    """Occupy all call slots of the shop, and clear the rejections that the middleware cached."""
    middleware(app)._refusals.clear()
    limits = app.extensions["call_limits"]
    with ExitStack() as held:
        for _ in range(limits.per_app):
            held.enter_context(limits.slot(ACME_SHOP.appid))
        yield


def middleware(app: Flask) -> BusyApps:
    found: Any = app.wsgi_app
    while not isinstance(found, BusyApps):
        found = found._behind if hasattr(found, "_behind") else found._app
    return found


def log_in(client: Client, app: str = ACME_SHOP.appid, **headers: str) -> TestResponse:
    path = f"/v1/apps/{app}/login"
    return client.send("POST", path, json={"code": "any"}, headers=headers)


def comparable(answer: TestResponse) -> Any:
    """Return status, headers and body without the parts that differ in each response."""
    headers = {name: value for name, value in answer.headers if name not in VARYING}
    return answer.status, headers, {**json.loads(answer.data), "request_id": None}


@pytest.mark.usefixtures("shop_at_call_limit")
@pytest.mark.parametrize("language", ["en", "zh-CN,zh;q=0.9", ""])
def test_a_cached_rejection_equals_the_rejection_by_flask(client: Client, language: str) -> None:
    by_flask, repeated = (log_in(client, **{"Accept-Language": language}) for _ in range(2))
    assert failure(repeated) == (503, "wechat_busy")
    assert comparable(repeated) == comparable(by_flask)
    assert repeated.json["request_id"] == repeated.headers["X-Request-Id"]
    assert repeated.json["request_id"] != by_flask.json["request_id"]
    assert int(repeated.headers["Retry-After"]) in range(3, 9)
    assert int(repeated.headers["Content-Length"]) == len(repeated.data)


@pytest.mark.usefixtures("shop_at_call_limit")
def test_cached_rejections_run_no_sql_statement_and_are_counted_as_failures(
    app: Flask, client: Client, statements: list[str]
) -> None:
    log_in(client)
    statements.clear()
    counted = app.extensions["counts"].of_this_process().failed
    counted.gather()
    counted.sums.clear()
    for _ in range(3):
        assert failure(log_in(client)) == (503, "wechat_busy")
    assert statements == []
    [(key, count)] = counted.gather().items()
    assert (key.appid, key.cause, count) == (ACME_SHOP.appid, "wechat_busy", 3)


@pytest.mark.usefixtures("shop_at_call_limit")
def test_other_apps_and_other_routes_are_served_while_an_app_is_at_its_call_limit(
    client: Client, alice: Person
) -> None:
    log_in(client)
    assert client.log_in(alice, ACME_CLUB)["token"]
    assert client.send("GET", f"/v1/apps/{ACME_SHOP.appid}/login").status_code == 405
    assert failure(client.post("password-login", account="a", password="b" * 8))[0] == 401


def test_logins_succeed_again_once_calls_to_wechat_have_ended(
    app: Flask, client: Client, alice: Person
) -> None:
    limits = app.extensions["call_limits"]
    with ExitStack() as held:
        for _ in range(limits.per_app):
            held.enter_context(limits.slot(ACME_SHOP.appid))
        assert failure(log_in(client)) == (503, "wechat_busy")
    assert client.log_in(alice)["token"]


@pytest.mark.usefixtures("shop_at_call_limit")
def test_the_number_of_cached_rejections_is_limited(
    app: Flask, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(busy_apps, "MOST_KEPT", 3)
    for number in range(10):
        log_in(client, **{"Accept-Language": f"en;q=0.{number}"})
    log_in(client, **{"Accept-Language": "x" * 101})
    assert len(middleware(app)._refusals) <= 3


def test_cached_rejections_bypass_only_hooks_listed_in_bypassed_hooks(app: Flask) -> None:
    """A new hook of the login view must be listed with a reason in `BYPASSED_HOOKS`."""
    hooks = [
        hook
        for funcs in (
            app.before_request_funcs,
            app.after_request_funcs,
            app.teardown_request_funcs,
            app.url_value_preprocessors,
        )
        for blueprint in (None, "apps")
        for hook in funcs.get(blueprint, ())
    ]
    names = {f"{hook.__module__}.{hook.__qualname__}" for hook in hooks}
    assert names <= BYPASSED_HOOKS.keys()

"""Authorization requests of proxies: methods, appended paths and audiences."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any, cast

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.identity_fast_path import IdentityFastPath
from app.services.cache.registry import Caches
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    GLOBEX_LIFE,
    Client,
    Person,
    Reader,
    failure,
)
from tests.test_identity_fast_path import (
    comparable,
    fresh_caches,
    from_each_source,
    logging_into,
)

__all__ = ["fresh_caches"]

PLAIN = "/v1/verify"
BY_QUERY = "/v1/verify?tenant=acme"
BY_APP = f"/v1/apps/{ACME_SHOP.appid}/verify"
BY_TENANT = "/v1/tenants/acme/verify"
ADMITTING = [
    PLAIN,
    BY_QUERY,
    BY_APP,
    BY_TENANT,
    f"{BY_APP}?tenant=acme",
    f"{BY_TENANT}?tenant=acme",
]
APPENDED = [
    "/",
    "/anything/here?x=y",
    "//double//slashes",
    "/trailing/",
    "/a%2Fb%2f..%2f..%2fapps",
    "/../../verify",
    "/%2e%2e/%2e%2e/apps/wxbbbb000000000001/verify",
    "/x?tenant=globex",
    "/x?tenant=acme&tenant=globex",
    "/x?%00=%ff&&=",
    "/line%0Abreak",
    "/%E6%96%B0%E9%97%BB/%ff%fe",
    "/;v=1/v1/verify",
    "/v1/verify",
]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "BREW"]
# Verification paths that reject a user of acme's shop, and the error code.
REJECTING = {
    "another app": (f"/v1/apps/{ACME_CLUB.appid}/verify", "token_of_another_app"),
    "an app of another tenant": (f"/v1/apps/{GLOBEX_LIFE.appid}/verify", "token_of_another_app"),
    "an unknown app": ("/v1/apps/wxffffffffffffffff/verify", "token_of_another_app"),
    "no appid": ("/v1/apps/%20/verify", "token_of_another_app"),
    "an appid with more behind it": (
        f"/v1/apps/{ACME_SHOP.appid}%20/verify",
        "token_of_another_app",
    ),
    "an appid in other case": (
        f"/v1/apps/{ACME_SHOP.appid.upper()}/verify",
        "token_of_another_app",
    ),
    "dots": ("/v1/apps/../verify", "token_of_another_app"),
    "another tenant": ("/v1/tenants/globex/verify", "token_of_another_tenant"),
    "another tenant by query": ("/v1/verify?tenant=globex", "token_of_another_tenant"),
    "an unknown tenant": ("/v1/verify?tenant=nobody", "token_of_another_tenant"),
    "an empty tenant": ("/v1/verify?tenant=", "token_of_another_tenant"),
    "a tenant without a value": ("/v1/verify?tenant", "token_of_another_tenant"),
    "a tenant with more behind it": ("/v1/verify?tenant=acme%20", "token_of_another_tenant"),
    "a tenant in other case": ("/v1/verify?tenant=ACME", "token_of_another_tenant"),
    "a long tenant": (f"/v1/verify?tenant={'a' * 5000}", "token_of_another_tenant"),
    "NUL": ("/v1/verify?tenant=acme%00", "token_of_another_tenant"),
    "a path in the tenant": ("/v1/verify?tenant=acme/api/orders", "token_of_another_tenant"),
    "the right app, another tenant": (f"{BY_APP}?tenant=globex", "token_of_another_tenant"),
    "the right tenant, then another": (f"{BY_TENANT}?tenant=globex", "token_of_another_tenant"),
    "a slash before another tenant": ("/v1/verify/?tenant=globex", "token_of_another_tenant"),
}
MISTYPED = [
    "/v1/verify?tennant=acme",
    "/v1/verify?tenant=acme&x=y",
    "/v1/verify?x",
    "/v1/verify?Tenant=acme",
    "/v1/verify?tenant%20=acme",
    "/v1/verify?=acme",
    "/v1/verify?tenant=acme&tenant=acme",
    "/v1/verify?tenant=acme&tenant=globex",
    f"{BY_APP}?x=y",
    f"{BY_TENANT}?slug=acme",
]


@pytest.fixture
def token(client: Client, alice: Person) -> str:
    """Return the login token of a user of acme's shop."""
    return str(client.bind(alice)["token"])


@contextmanager
def watching_flask(app: Flask) -> Iterator[list[str]]:
    """Yield a list that collects the paths of the requests that reach Flask."""
    fast_path, seen = cast(IdentityFastPath, app.wsgi_app), []
    next_app = fast_path._behind

    def recording_app(environ: Any, start_response: Any) -> Any:
        seen.append(environ["PATH_INFO"])
        return next_app(environ, start_response)

    fast_path._behind = recording_app
    try:
        yield seen
    finally:
        fast_path._behind = next_app


def empty(caches: Caches) -> None:
    """Remove all entries of the caches."""
    caches._clear()
    caches.changes.begin()
    caches.changes.mark_fresh(float("inf"))


def ask(
    client: Client, address: str, token: str | None = None, method: str = "GET"
) -> TestResponse:
    """Send an authorization request without normalizing its path."""
    path, _, query = address.partition("?")
    environ = {"REQUEST_URI": address, "RAW_URI": address, "QUERY_STRING": query}
    return client.send(method, path, token, query_string=query, environ_overrides=environ)


@pytest.mark.parametrize("address", ADMITTING)
def test_a_successful_verification_has_the_same_response_from_cache_and_flask(
    app: Flask, client: Client, token: str, fresh_caches: Caches, address: str
) -> None:
    with watching_flask(app) as seen:
        first, *others = from_each_source(fresh_caches, lambda: ask(client, address, token))
        assert len(seen) == 1
    for other in (*others, ask(client, PLAIN, token)):
        assert comparable(other) == comparable(first)
    assert first.status_code == 204


@pytest.mark.parametrize("address", [PLAIN, BY_APP, BY_TENANT])
def test_an_appended_path_and_query_change_only_the_status_of_a_verification(
    app: Flask, client: Client, token: str, fresh_caches: Caches, address: str
) -> None:
    """Envoy appends the client's path, and accepts only status 200 as a success."""
    plain = ask(client, address, token)
    expected = comparable(plain)[1] | {"Content-Length": "0"}
    for appended in APPENDED:
        empty(fresh_caches)
        path = address + appended
        with watching_flask(app) as seen:
            first, *others = from_each_source(
                fresh_caches, lambda path=path: ask(client, path, token)
            )
        assert seen == [address], f"Flask gets one request, without {appended}"
        assert [comparable(other) for other in others] == [comparable(first)] * 2, appended
        assert comparable(first) == ("200 OK", expected, b""), appended


@pytest.mark.parametrize("address", [PLAIN, BY_APP, BY_TENANT, f"{BY_APP}/api/orders?x=y"])
def test_a_verification_request_has_the_same_response_for_every_method(
    client: Client, token: str, fresh_caches: Caches, address: str
) -> None:
    """Envoy uses the client's method. OPTIONS requires a token like other methods."""
    expected = comparable(ask(client, address, token))
    foreign = address.replace(ACME_SHOP.appid, GLOBEX_LIFE.appid).replace("acme", "globex")
    for method in METHODS:
        empty(fresh_caches)
        assert failure_of(ask(client, address, None, method), method) == 401, method
        for answer in from_each_source(
            fresh_caches, lambda method=method: ask(client, address, token, method)
        ):
            assert comparable(answer) == expected, method
        if foreign != address:
            assert failure_of(ask(client, foreign, token, method), method) == 403, method


def failure_of(answer: TestResponse, method: str) -> int:
    """Assert that a response is an error, and return its status. For HEAD it has no body."""
    assert "X-User-Id" not in answer.headers
    return answer.status_code if method == "HEAD" else failure(answer)[0]


class Unreadable(io.RawIOBase):
    """A request body that fails the test if it is read."""

    def readable(self) -> bool:
        """Return True, so werkzeug accepts the object as a stream."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fail the test."""
        pytest.fail("the body was read")


@pytest.mark.parametrize("address", [PLAIN, f"{BY_APP}/upload"])
@pytest.mark.parametrize("length", ["5", "999999999", None, "-1", "many"])
def test_the_body_of_an_authorization_request_is_not_read(
    client: Client, token: str, fresh_caches: Caches, address: str, length: str | None
) -> None:
    """The body is read neither for a rejected nor for a successful request."""
    environ: dict[str, Any] = {"wsgi.input": Unreadable(), "wsgi.input_terminated": length is None}
    environ |= {} if length is None else {"CONTENT_LENGTH": length}
    success = 204 if address == PLAIN else 200
    for method in ("POST", "PUT", "OPTIONS", "HEAD"):
        empty(fresh_caches)
        for login, status in ((None, 401), (token, success)):
            for answer in from_each_source(
                fresh_caches,
                lambda method=method, login=login: client.send(
                    method, address, login, environ_overrides=environ
                ),
            ):
                assert answer.status_code == status, method


def test_a_user_outside_the_audience_is_rejected_with_403(
    client: Client, token: str, fresh_caches: Caches
) -> None:
    """An unknown tenant or appid gets the same response as an existing one."""
    for audience, (address, code) in REJECTING.items():
        empty(fresh_caches)
        refused = ask(client, address, token)
        assert ask(client, PLAIN, token).status_code == 204
        for answer in (refused, ask(client, address, token)):
            assert failure(answer) == (403, code), audience
            assert "X-User-Id" not in answer.headers, audience
        assert ask(client, PLAIN, token).status_code == 204, "the session stays active"


@pytest.mark.parametrize("address", MISTYPED)
def test_a_verification_request_with_an_unknown_or_repeated_parameter_is_rejected(
    app: Flask, client: Client, token: str, fresh_caches: Caches, address: str
) -> None:
    """A misspelt `tenant` parameter must not disable the audience check."""
    assert ask(client, PLAIN, token).status_code == 204
    with watching_flask(app) as seen:
        assert failure(ask(client, address, token)) == (422, "request_invalid")
    assert len(seen) == 1


def test_an_appended_slash_does_not_disable_the_audience_check(
    client: Client, token: str, fresh_caches: Caches
) -> None:
    """A proxy configuration may contain a superfluous slash."""
    for _ in range(2):
        assert ask(client, "/v1/verify/?tenant=acme", token).status_code == 200
        assert ask(client, "/v1/verify/?tenant=acme&x=y", token).status_code == 200
        for query in ("tenant=globex", "x=y&tenant=globex", "tenant=", "tenant", "t%65nant=x"):
            refused = failure(ask(client, f"/v1/verify/?{query}", token))
            assert refused == (403, "token_of_another_tenant")


@pytest.mark.parametrize("address", ["/v1/verifyx", "/v1/verify*", f"{BY_APP}x", "/v1/apps/verify"])
def test_a_path_that_only_resembles_a_verification_path_is_not_found(
    client: Client, token: str, fresh_caches: Caches, address: str
) -> None:
    assert ask(client, address, token).status_code in (404, 405)


@pytest.mark.parametrize("address", [BY_APP, BY_QUERY, BY_TENANT])
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("UPDATE wechat_apps SET enabled = false", "switched_off"),
        ("UPDATE tenants SET status = 'disabled'", "switched_off"),
        ("UPDATE users SET status = 'disabled'", "switched_off"),
        ("UPDATE login_sessions SET expires_at = now() - interval '1 s'", "session_expired"),
    ],
)
def test_verification_for_a_disabled_app_tenant_or_user_gets_401(
    client: Client, token: str, rows: Reader, address: str, change: str, code: str
) -> None:
    """nginx denies access on 401 and 403, and responds 500 on every other error status."""
    rows(change)
    assert failure(ask(client, address, token)) == (401, code)
    assert failure(ask(client, address)) == (401, "token_missing")


def test_an_unbound_session_gets_401_for_every_audience(
    client: Client, alice: Person, fresh_caches: Caches
) -> None:
    unbound = client.log_in(alice)["token"]
    for address, _ in product(ADMITTING, range(2)):
        assert failure(ask(client, address, unbound)) == (401, "no_user")


@pytest.mark.parametrize("address", [*ADMITTING, f"{BY_APP}/api/orders?x=y"])
def test_a_verification_is_logged_alike_by_cache_and_flask_without_the_appended_path(
    client: Client, token: str, fresh_caches: Caches, address: str
) -> None:
    lines = io.StringIO()
    with logging_into(lines, as_json=True):
        from_each_source(fresh_caches, lambda: ask(client, address, token, "POST"))
    first, second, third = (json.loads(line) for line in lines.getvalue().splitlines())
    for line in (first, second, third):
        assert line.pop("milliseconds") >= 0
        assert line.pop("timestamp")
        assert line.pop("request_id")
    assert first == second == third
    assert first["route"] in (
        "/v1/verify",
        "/v1/apps/<string:appid>/verify",
        "/v1/tenants/<string:slug>/verify",
    )
    assert (first["tenant"], first["appid"]) == ("acme", ACME_SHOP.appid)
    assert "orders" not in lines.getvalue()


def test_the_openapi_document_describes_every_verification_path(client: Client) -> None:
    paths = client.send("GET", "/openapi.json").json["paths"]
    for path in ("/v1/verify", "/v1/apps/{appid}/verify", "/v1/tenants/{slug}/verify"):
        operation = paths[path]["get"]
        assert [parameter["name"] for parameter in operation["parameters"]] == ["tenant"]
        assert set(operation["responses"]["204"]["headers"]) == {
            *("X-User-Id", "X-Tenant-Id", "X-App-Id", "X-Session-Id")
        }

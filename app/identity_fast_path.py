"""WSGI middleware that answers `/v1/verify` and `/v1/me`, the two most frequent requests.

The middleware responds only if the request is certain to succeed: from memory, and for the first
check of a token after one statement. It passes all other requests to Flask, which applies the same
rules and returns the error responses. For `/v1/me`, the middleware caches the response of Flask.
"""

import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from uuid import UUID

import psycopg
import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from app.api.forward_auth import AuthRequest, find_auth_request, verify_headers
from app.auth import (
    AUTHORIZATION,
    BARE_TOKEN_HEADERS,
    FAILED_READ,
    LONGEST_TOKEN,
    find_token,
)
from app.errors import TokensDiffer
from app.headers import security_headers
from app.logs import RequestFacts, log_request, request_id_of
from app.logs.sampling import Sampling
from app.logs.traceparent import trace_ids
from app.metrics.definitions import HTTP_SECONDS
from app.metrics.recording import observe
from app.services.cache.registry import Caches
from app.services.principals import Principal
from app.services.sessions.authentication import find_cached_principal, read_bound_principal
from app.services.sessions.last_seen import LastSeen
from app.services.sessions.tokens import LOGIN_PREFIX

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ME = "/v1/me"
TOKEN_HEADERS = [
    f"HTTP_{name.upper().replace('-', '_')}" for name in (AUTHORIZATION, *BARE_TOKEN_HEADERS)
]
# The Flask hooks that a response of this middleware bypasses, and why it may bypass each.
BYPASSED_HOOKS = {
    "app.logs._begin_request": "`_send` gives the request its ids.",
    "app.logs._log_response": "`_send` logs the request and returns its id.",
    "app.headers._add": "Each response includes `security_headers`.",
    "app.tenancy._take_appid": "`find_auth_request` reads the appid of the path.",
    "app.tenancy._pick_app": "`admits_without_parsing` compares the appid with the session's.",
    "app.failure_metrics._count_failure": "Only successful responses are sent here.",
    "app.monitoring.http_requests.observe_response": "`_send` records the duration.",
    "app.admin.console.access._guard": "For pages of the console only.",
    "app.admin.console.access._add_headers": "For pages of the console only.",
    "flask_wtf.csrf.CSRFProtect.init_app.<locals>.csrf_protect": "For forms of the console only.",
    "flask_sqlalchemy.extension.SQLAlchemy._teardown_session": "No database session is opened.",
}
STATUS_TEXTS = {status: str(status.value) for status in HTTPStatus}
STATUS_LINES = {status.value: f"{status} {status.phrase.upper()}" for status in HTTPStatus}


class Answer(NamedTuple):
    """A response of the middleware, without the X-Request-Id header."""

    status: HTTPStatus
    headers: dict[str, str]
    body: bytes


class IdentityFastPath:
    """WSGI middleware that answers `/v1/verify` and `/v1/me`."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._behind: WSGIApplication = app.wsgi_app
        self._caches: Caches = app.extensions["caches"]
        self._last_seen: LastSeen = app.extensions["last_seen"]
        self._sampling: Sampling = app.extensions["success_sampling"]

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        began, path = time.perf_counter(), environ["PATH_INFO"]
        if path == ME and environ["REQUEST_METHOD"] == "GET":
            return self._show_me(environ, start_response, began)
        asked = find_auth_request(path)
        if asked is None:
            return self._behind(environ, start_response)
        return self._verify(environ, start_response, asked, began)

    def _verify(
        self,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
        asked: AuthRequest,
        began: float,
    ) -> Iterable[bytes]:
        principal = self._find_principal(environ) if environ["REQUEST_METHOD"] != "HEAD" else None
        if principal is None or not asked.admits_without_parsing(
            principal, environ.get("QUERY_STRING", "")
        ):
            return self._behind(asked.as_get(environ), start_response)
        secure = security_headers(environ["wsgi.url_scheme"])
        answer = _verified(principal, asked.success, secure)
        # A verification is logged as GET, whatever method a proxy has forwarded.
        facts = RequestFacts(environ, asked.route, answer.status.value, began, method="GET")
        return self._send(start_response, answer, principal, facts)

    def _show_me(
        self, environ: "WSGIEnvironment", start_response: "StartResponse", began: float
    ) -> Iterable[bytes]:
        asked_at = time.monotonic()
        principal = self._find_principal(environ)
        if principal is None:
            return self._behind(environ, start_response)
        answer = self._cached_response(principal, security_headers(environ["wsgi.url_scheme"]))
        if answer is None:
            return self._call_flask_and_cache(environ, start_response, principal, asked_at)
        facts = RequestFacts(environ, ME, answer.status.value, began)
        return self._send(start_response, answer, principal, facts)

    def _find_principal(self, environ: "WSGIEnvironment") -> Principal | None:
        """Return the principal of the login token, or None if Flask must decide.

        If the session is not cached, read it, unless the database may be unavailable. Flask raises
        the error of a failed read, so that a request waits for the database only once.
        """
        try:
            token = find_token(*(environ.get(name, "") for name in TOKEN_HEADERS))
        except TokensDiffer:
            return None
        if token is None:
            return None
        cached = self._caches.of_this_process()
        lookup = (cached.sessions, self._last_seen, token[:LONGEST_TOKEN])
        principal = find_cached_principal(*lookup)
        if principal is None and cached.changes.is_fresh and token.startswith(LOGIN_PREFIX):
            try:
                with self._app.app_context():
                    principal = read_bound_principal(*lookup)
            except (psycopg.Error, SQLAlchemyError) as error:
                environ[FAILED_READ] = error
        return principal

    def _cached_response(self, principal: Principal, secure: Mapping[str, str]) -> Answer | None:
        body = self._caches.profiles.find(_user(principal))
        return None if body is None else Answer(HTTPStatus.OK, _json_headers(body, secure), body)

    def _call_flask_and_cache(
        self,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
        principal: Principal,
        asked_at: float,
    ) -> Iterable[bytes]:
        """Call Flask and cache a successful response until the user or the session changes.

        `asked_at` is the monotonic time before the call. A response is not cached if the user or
        the session has changed since then.
        """
        statuses: list[str] = []

        def start(status: str, *others: Any) -> Any:
            statuses.append(status)
            return start_response(status, *others)

        with closing(cast(Any, self._behind(environ, start))) as parts:
            body = b"".join(parts)
        if statuses == ["200 OK"]:
            subjects = (_user(principal), principal.session_id.bytes)
            self._caches.profiles.keep(_user(principal), body, asked_at, *subjects)
        return (body,)

    def _send(
        self,
        start_response: "StartResponse",
        answer: Answer,
        principal: Principal,
        facts: RequestFacts,
    ) -> Iterable[bytes]:
        """Send a response and log it as Flask does."""
        request_id = request_id_of(facts.environ.get("HTTP_X_REQUEST_ID", ""))
        headers = [*answer.headers.items(), ("X-Request-Id", request_id)]
        start_response(STATUS_LINES[answer.status.value], headers)
        # Remove the values of the previous request on the same connection.
        structlog.contextvars.clear_contextvars()
        known = {"appid": principal.appid, "tenant": principal.tenant_slug}
        ids = trace_ids(facts.environ)
        log_request(self._sampling, facts, request_id=request_id, **ids, **known)
        seconds = time.perf_counter() - facts.began
        observe(HTTP_SECONDS, seconds, facts.route or "", "GET", STATUS_TEXTS[answer.status])
        return (answer.body,)


def _verified(principal: Principal, status: HTTPStatus, secure: Mapping[str, str]) -> Answer:
    return Answer(status, {**verify_headers(principal, status), **secure}, b"")


def _json_headers(body: bytes, secure: Mapping[str, str]) -> dict[str, str]:
    return {"Content-Type": "application/json", "Content-Length": str(len(body)), **secure}


def _user(principal: Principal) -> bytes:
    return cast(UUID, principal.user_id).bytes

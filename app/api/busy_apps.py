"""WSGI middleware that rejects logins to an overloaded app before they reach Flask.

While WeChat does not answer calls for an app, thousands of clients retry. A rejection by Flask
takes milliseconds of CPU time, which delays the logins to other apps. Flask produces the first
rejection. The middleware repeats that response for later logins, with a new request id.
"""

import re
import time
from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import structlog
from flask import Flask

from app.errors import Failure
from app.errors.severity import severity_of
from app.logs import RequestFacts, log_request, request_id_of
from app.logs.sampling import Sampling
from app.logs.traceparent import trace_ids
from app.metrics.definitions import FAILURES, HTTP_SECONDS, LOGINS, REFUSED
from app.metrics.recording import count, observe
from app.services.apps.apps import find_cached_tenant
from app.services.apps.call_limits import CallLimits, retry_after
from app.services.metrics.counts import count_failure
from app.services.runtime.bounded import keep_latest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LOGIN = re.compile(r"/v1/apps/([A-Za-z0-9_-]{1,64})/login")
ROUTE = "/v1/apps/<string:appid>/login"
# Rejections are cached per language. Clients send few different Accept-Language values.
MOST_KEPT = 100
LONGEST_LANGUAGE = 100


class Refusal(NamedTuple):
    """A cached response of Flask, and the request id that its body contains."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes
    request_id: bytes


class BusyApps:
    """WSGI middleware that rejects logins to apps at their limit of calls to WeChat."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._behind: WSGIApplication = app.wsgi_app
        self._sampling: Sampling = app.extensions["success_sampling"]
        self._refusals: dict[tuple[str, str, str], Refusal] = {}

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        login = LOGIN.fullmatch(environ["PATH_INFO"])
        if login is None or environ["REQUEST_METHOD"] != "POST":
            return self._behind(environ, start_response)
        limits: CallLimits = self._app.extensions["call_limits"]
        failure = limits.find_refusal(login[1])
        language = environ.get("HTTP_ACCEPT_LANGUAGE", "")
        if failure is None or len(language) > LONGEST_LANGUAGE:
            return self._behind(environ, start_response)
        key = (failure.code, language, environ["wsgi.url_scheme"])
        refusal = self._refusals.get(key)
        if refusal is None:
            return self._cache_refusal(environ, start_response, failure, key)
        return self._repeat_refusal(environ, start_response, refusal, login[1], failure)

    def _repeat_refusal(
        self,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
        refusal: Refusal,
        appid: str,
        failure: type[Failure],
    ) -> Iterable[bytes]:
        began = time.perf_counter()
        request_id = request_id_of(environ.get("HTTP_X_REQUEST_ID", ""))
        body = refusal.body.replace(refusal.request_id, request_id.encode())
        own = [
            ("X-Request-Id", request_id),
            ("Retry-After", str(retry_after())),
            ("Content-Length", str(len(body))),
        ]
        start_response(refusal.status, [*refusal.headers, *own])
        with self._app.app_context():
            count_failure(appid, failure.code)
            tenant = find_cached_tenant(appid)
        count(FAILURES, appid, failure.code)
        count(LOGINS, appid, "code", REFUSED)
        observe(HTTP_SECONDS, time.perf_counter() - began, ROUTE, "POST", str(failure.status))
        limits: CallLimits = self._app.extensions["call_limits"]
        limits.count_rejection(appid, failure)
        severity = severity_of(failure)
        known = {"appid": appid, "tenant": tenant, "remedy": severity.remedy}
        context = {name: value for name, value in known.items() if value is not None}
        context |= {"request_id": request_id, "failure": failure.code, **trace_ids(environ)}
        structlog.contextvars.clear_contextvars()
        facts = RequestFacts(environ, ROUTE, failure.status, began, severity)
        log_request(self._sampling, facts, **context)
        return (body,)

    def _cache_refusal(
        self,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
        failure: type[Failure],
        key: tuple[str, str, str],
    ) -> Iterable[bytes]:
        """Call Flask. Cache the response if it has the error code of `failure`."""
        started: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], *others: Any) -> Any:
            started[:] = status, headers
            return start_response(status, headers, *others)

        with closing(cast(Any, self._behind(environ, start))) as parts:
            body = b"".join(parts)
        status, headers = started
        if f'"code": "{failure.code}"'.encode() in body:
            varying = ("x-request-id", "retry-after", "content-length")
            request_id = dict(headers)["X-Request-Id"].encode()
            kept = [(name, value) for name, value in headers if name.lower() not in varying]
            keep_latest(self._refusals, key, Refusal(status, kept, body, request_id), MOST_KEPT)
        return (body,)

"""Logins to busy apps, refused in front of Flask.

While WeChat does not answer an app, thousands of its clients try again. A refusal by Flask takes
milliseconds of CPU time, which other apps would wait for. The first refusal comes from Flask; the
next ones repeat its response with their own request id.
"""

import re
import time
from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import structlog
from flask import Flask

from app.errors import Failure
from app.logs import log_request, request_id_of
from app.services.apps.call_limits import CallLimits, retry_after
from app.services.metrics.counts import count_failure
from app.services.runtime.bounded import keep_latest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LOGIN = re.compile(r"/v1/apps/([A-Za-z0-9_-]{1,64})/login")
ROUTE = "/v1/apps/<string:appid>/login"
# Responses are kept by language. Clients send few different values.
MOST_KEPT = 100
LONGEST_LANGUAGE = 100


class Refusal(NamedTuple):
    """A response of Flask, and the request id in it."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes
    request_id: bytes


class BusyApps:
    """WSGI middleware in front of Flask."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._behind: WSGIApplication = app.wsgi_app
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
            return self._learn(environ, start_response, failure, key)
        return self._repeat(environ, start_response, refusal, login[1], failure)

    def _repeat(
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
        structlog.contextvars.clear_contextvars()
        context = {"appid": appid, "request_id": request_id, "failure": failure.code}
        log_request("POST", ROUTE, failure.status, began, **context)
        return (body,)

    def _learn(
        self,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
        failure: type[Failure],
        key: tuple[str, str, str],
    ) -> Iterable[bytes]:
        """Call Flask, and keep its response if it refuses the login for the same reason."""
        told: list[Any] = []

        def tell(status: str, headers: list[tuple[str, str]], *others: Any) -> Any:
            told[:] = status, headers
            return start_response(status, headers, *others)

        with closing(cast(Any, self._behind(environ, tell))) as parts:
            body = b"".join(parts)
        status, headers = told
        if f'"code": "{failure.code}"'.encode() in body:
            varying = ("x-request-id", "retry-after", "content-length")
            request_id = dict(headers)["X-Request-Id"].encode()
            kept = [(name, value) for name, value in headers if name.lower() not in varying]
            keep_latest(self._refusals, key, Refusal(status, kept, body, request_id), MOST_KEPT)
        return (body,)

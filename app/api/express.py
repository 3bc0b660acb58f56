"""The two questions asked all day, answered in front of Flask from what is remembered.

Only a plain yes is: whatever is not sure to be one goes on to Flask, where the same rules decide
and refusals are told. What a user sees of themself is what Flask answered before.
"""

import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from uuid import UUID

import structlog
from flask import Flask

from app.api.identity import identity_headers
from app.auth import BARE_TOKEN_HEADERS
from app.headers import security_headers
from app.logs import request_id_of
from app.services.caches import Caches
from app.services.callers import Caller
from app.services.session_uses import SessionUses
from app.services.verification import find_remembered

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger()

VERIFY, ME = "/v1/verify", "/v1/me"
OTHER_TOKENS = [f"HTTP_{name.upper().replace('-', '_')}" for name in BARE_TOKEN_HEADERS]
SCHEME = "Bearer "


class Answer(NamedTuple):
    """What is answered, but for the request's id."""

    status: HTTPStatus
    headers: dict[str, str]
    body: bytes


class Express:
    """A WSGI application in front of Flask's."""

    def __init__(self, app: Flask) -> None:
        self._behind: WSGIApplication = app.wsgi_app
        self._caches: Caches = app.extensions["caches"]
        self._uses: SessionUses = app.extensions["session_uses"]

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        began, path, asked_at = time.perf_counter(), environ["PATH_INFO"], time.monotonic()
        caller = self._find_caller(environ) if path in (VERIFY, ME) else None
        if caller is None:
            return self._behind(environ, start_response)
        secure = security_headers(environ["wsgi.url_scheme"])
        answer = _verified(caller, secure) if path == VERIFY else self._remembered(caller, secure)
        if answer is None:
            return self._remembering(environ, start_response, caller, asked_at)
        request_id = request_id_of(environ.get("HTTP_X_REQUEST_ID", ""))
        headers = [*answer.headers.items(), ("X-Request-Id", request_id)]
        start_response(f"{answer.status} {answer.status.phrase.upper()}", headers)
        # Of the request before it on the same connection.
        structlog.contextvars.clear_contextvars()
        log.info(
            "request",
            request_id=request_id,
            appid=caller.appid,
            tenant=caller.tenant_slug,
            method="GET",
            route=path,
            status=answer.status.value,
            milliseconds=round((time.perf_counter() - began) * 1000, 1),
        )
        return (answer.body,)

    def _find_caller(self, environ: "WSGIEnvironment") -> Caller | None:
        """Find the user who asks, if it is remembered who that is and nothing else is unusual."""
        header = environ.get("HTTP_AUTHORIZATION", "")
        is_usual = environ["REQUEST_METHOD"] == "GET" and header.startswith(SCHEME)
        if not is_usual or any(name in environ for name in OTHER_TOKENS):
            return None
        sessions = self._caches.of_this_process().sessions
        return find_remembered(sessions, self._uses, header.removeprefix(SCHEME))

    def _remembered(self, caller: Caller, secure: Mapping[str, str]) -> Answer | None:
        body = self._caches.profiles.find(_user(caller))
        return None if body is None else Answer(HTTPStatus.OK, _json_headers(body, secure), body)

    def _remembering(
        self,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
        caller: Caller,
        asked_at: float,
    ) -> Iterable[bytes]:
        """Let Flask answer, and remember a good answer until the user changes.

        Or the session: if it has become another's since `asked_at`, Flask may have shown that one.
        """
        told: list[str] = []

        def tell(status: str, *others: Any) -> Any:
            told.append(status)
            return start_response(status, *others)

        with closing(cast(Any, self._behind(environ, tell))) as parts:
            body = b"".join(parts)
        if told == ["200 OK"]:
            subjects = (_user(caller), caller.session_id.bytes)
            self._caches.profiles.keep(_user(caller), body, asked_at, *subjects)
        return (body,)


def _verified(caller: Caller, secure: Mapping[str, str]) -> Answer:
    headers = {"Content-Type": "text/html; charset=utf-8", **identity_headers(caller), **secure}
    return Answer(HTTPStatus.NO_CONTENT, headers, b"")


def _json_headers(body: bytes, secure: Mapping[str, str]) -> dict[str, str]:
    return {"Content-Type": "application/json", "Content-Length": str(len(body)), **secure}


def _user(caller: Caller) -> bytes:
    return cast(UUID, caller.user_id).bytes

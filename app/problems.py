"""Error responses: problem details (RFC 9457) with a stable code.

The dialects convert exceptions with `failure_of` too, and write their own envelopes.
"""

import json
from typing import Any

import psycopg
import structlog
from flask import Flask, Response, g
from gunicorn.http.errors import NoMoreData, ParseException
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from werkzeug.exceptions import ClientDisconnected, HTTPException

from app.errors import (
    AppUnknown,
    BadRequest,
    BodyTooLarge,
    DatabaseUnavailable,
    Failure,
    Internal,
    JsonMalformed,
    JsonRequired,
    MethodNotAllowed,
    NotFound,
    RequestInvalid,
    RequestTimeout,
    as_failure,
)
from app.errors.severity import severity_of
from app.errors.sqlstates import database_facts, violated_constraint
from app.languages import accepted_language, all_translated, field_messages, speaking, spoken
from app.wechat import WeChatError

log = structlog.get_logger()

OF_STATUS: dict[int, type[Failure]] = {
    400: BadRequest,
    404: NotFound,
    405: MethodNotAllowed,
    413: BodyTooLarge,
    415: JsonRequired,
    422: RequestInvalid,
}
# Seconds. WeChat's rate limits apply per minute. The other failures usually end within seconds.
RETRY_AFTER = {
    "wechat_rate_limited": 60,
    "wechat_unavailable": 5,
    "database_unavailable": 5,
    "database_read_only": 5,
}


def init_app(app: Flask) -> None:
    """Respond to every exception with problem details."""
    app.register_error_handler(Exception, _problem)
    # Replaces flask-smorest's handler of HTTPException, which would take precedence.
    app.register_error_handler(HTTPException, _problem)


def _problem(error: Exception) -> Response:
    failure = failure_of(error)
    response = problem_response(failure)
    if isinstance(error, HTTPException):
        response.headers.extend(_headers_worth_keeping(error))
    return response


def problem_response(failure: Failure) -> Response:
    """Return a failure as application/problem+json, in the language of the request."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    problem = problem_details(failure, message_of(failure, default="en"), request_id)
    if failure.errors:
        with speaking("en"):
            problem["errors"] = field_messages(failure.errors)
    # A lone surrogate in a field name cannot be encoded as UTF-8. It is written as a JSON escape.
    body = json.dumps(problem, ensure_ascii=False).encode(errors="backslashreplace")
    response = Response(body, failure.status, content_type="application/problem+json")
    if failure.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    response.headers.extend(retry_after_header(failure))
    return response


def problem_details(failure: Failure, detail: str, request_id: str | None) -> dict[str, Any]:
    """Return the problem details of a failure, without the messages of invalid fields."""
    return {
        "type": f"urn:wxpass:problem:{failure.code}",
        "title": failure.code.replace("_", " "),
        "status": failure.status,
        "code": failure.code,
        "detail": detail,
        "request_id": request_id,
    }


def retry_after_header(failure: Failure) -> dict[str, str]:
    """Return a Retry-After header, or an empty dict if a retry would not help."""
    wait = failure.retry_after or RETRY_AFTER.get(failure.code)
    return {} if wait is None else {"Retry-After": str(wait)}


def message_of(failure: Failure, default: str) -> str:
    """Return the message in the language of Accept-Language, or else in `default`."""
    return all_translated(failure.sentences, accepted_language(default), failure.parameters)


def message_on_page(failure: Failure) -> str:
    """Return the message in the language of the console page."""
    return spoken(failure.sentences, failure.parameters)


def failure_of(error: Exception) -> Failure:
    """Return the failure for an exception. Store it in `g`, and add its code to the request log.

    The severity, which is stored too, is the level of the log line. Unexpected exceptions are
    logged with a traceback.
    """
    failure = g.failure = _failure_behind(error)
    facts: dict[str, Any] = {"failure": failure.code}
    facts |= database_facts(error) or database_facts(error.__cause__)
    g.severity = severity_of(failure, failure.errcode)
    if g.severity.remedy:
        facts["remedy"] = g.severity.remedy
    if failure.cause:
        facts["cause"] = failure.cause
    if failure.errcode is not None:
        facts["errcode"] = failure.errcode
    if isinstance(error, WeChatError):
        facts |= {"errcode": error.errcode, "rid": error.rid}
    structlog.contextvars.bind_contextvars(**facts)
    return failure


def _failure_behind(error: Exception) -> Failure:
    if isinstance(error, Failure):
        return error
    if isinstance(error, WeChatError):
        return as_failure(error)
    if isinstance(error, ClientDisconnected) and isinstance(error.__context__, TimeoutError):
        return RequestTimeout()  # Raised by the deadline in config/worker.py.
    if isinstance(error, HTTPException):
        return _of_http(error)
    if isinstance(error, ParseException | NoMoreData):
        return BadRequest(type(error).__name__)  # The HTTP framing of the body is invalid.
    if _is_database_unavailable(error):
        return DatabaseUnavailable(_database_cause(error))
    if _is_app_gone(error):
        return AppUnknown("its tenant lost the appid during the request")
    log.error("unexpected", exc_info=error)
    return Internal(type(error).__name__)


def _is_database_unavailable(error: Exception) -> bool:
    """Return whether a database error ends by itself, such as a failover.

    A server that refuses writes is a former primary: the next connection leads to its successor.
    """
    if isinstance(error, OperationalError | PoolExhausted | psycopg.OperationalError):
        return True
    origin = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(origin, psycopg.errors.ReadOnlySqlTransaction)


def _database_cause(error: Exception) -> str:
    """Return the class and the SQLSTATE of a database error, for the log."""
    name = type(getattr(error, "orig", None) or error).__name__
    state = database_facts(error).get("sqlstate")
    return f"{name} {state}" if state else name


def _is_app_gone(error: Exception) -> bool:
    """Return whether the request failed because its app was deleted, released or moved.

    A foreign key to `wechat_apps` is then violated.
    """
    cause = error.orig if isinstance(error, IntegrityError) else error
    if not isinstance(cause, psycopg.errors.ForeignKeyViolation):
        return False
    return (violated_constraint(cause) or "").endswith("_tenant_id_appid_wechat_apps")


def _of_http(error: HTTPException) -> Failure:
    data: dict[str, Any] = getattr(error, "data", None) or {}
    errors = data.get("messages")
    if error.code == 400 and errors:
        return JsonMalformed()
    kind = OF_STATUS.get(error.code or 500, BadRequest if (error.code or 500) < 500 else Internal)
    return kind(error.name, errors=errors.get("json", errors) if errors else None)


def _headers_worth_keeping(error: HTTPException) -> dict[str, str]:
    return {name: value for name, value in error.get_headers() if name in ("Allow", "Location")}

"""Structured logs: one line per request, JSON in production, no secrets.

Codes, tokens, session_keys, phone numbers, query strings and bodies are never passed to the log,
because they identify a person or grant access.
"""

import logging
import re
import time
from contextlib import suppress
from json import JSONEncoder
from secrets import token_hex

import structlog
from flask import Flask, Response, g, request

log = structlog.get_logger()

# Longer than any phone number, and not the format of wxpass tokens: neither must be logged.
REQUEST_ID = re.compile(r"(?!wx[pr]_)[A-Za-z0-9._-]{16,64}")
DETAIL = re.compile(r"(?<=\nDETAIL:).*?(?=\n\n|\n\[|\Z)", re.DOTALL)
QUIET = {"/healthz", "/readyz"}


class Lines(structlog.WriteLogger):
    """Logger that writes lines to a stream and ignores write errors."""

    def msg(self, message: str) -> None:
        """Write a line. Ignore errors such as a full disk or a closed pipe."""
        with suppress(OSError, ValueError):
            super().msg(message)

    debug = info = warning = error = critical = msg


def init_app(app: Flask, *, as_json: bool) -> None:
    """Configure logging, and log every request after its response was made."""
    configure(as_json=as_json)
    app.before_request(_begin_request)
    app.after_request(_log_response)


def configure(*, as_json: bool) -> None:
    """Make structlog and the standard library's loggers write lines of one format to stderr.

    For speed, structlog writes to stderr directly, not through a standard library logger.
    """
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    tail: list[structlog.types.Processor] = [
        structlog.processors.format_exc_info,
        _without_rows,
        _renderer(as_json),
    ]
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *tail],
        )
    )
    structlog.configure(
        processors=[*shared, *tail],
        logger_factory=lambda *_: Lines(handler.stream),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    # The development server logs URLs, and some clients send their codes and tokens in a query.
    logging.getLogger("werkzeug").addFilter(_has_no_query)


# ASCII only: some Unicode characters end a line or do not exist in the log's encoding.
_encode = JSONEncoder(default=repr).encode


def _renderer(as_json: bool) -> structlog.types.Processor:
    # `json.dumps` would build an encoder for each line.
    return (
        structlog.processors.JSONRenderer(serializer=lambda event, **_: _encode(event))
        if as_json
        else structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        )
    )


def _without_rows(
    _: structlog.types.WrappedLogger, __: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    """Remove the row values that PostgreSQL adds as DETAIL to the error of a rejected write."""
    if "exception" in event:
        event["exception"] = DETAIL.sub(" (not logged)", event["exception"])
    return event


def _has_no_query(record: logging.LogRecord) -> bool:
    return "?" not in record.getMessage()


def request_id_of(given: str) -> str:
    """Return the request id that the client or proxy sent if it is safe to log, or a new one."""
    return given if REQUEST_ID.fullmatch(given) else token_hex(16)


def _begin_request() -> None:
    request_id = request_id_of(request.headers.get("X-Request-Id", ""))
    g.began = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)


def _log_response(response: Response) -> Response:
    """Log the request with its route. The path is left out because clients choose its text."""
    response.headers["X-Request-Id"] = structlog.contextvars.get_contextvars()["request_id"]
    if request.path not in QUIET or response.status_code >= 400:
        route = request.url_rule.rule if request.url_rule else None
        log_request(request.method, route, response.status_code, g.began)
    return response


def log_request(
    method: str, route: str | None, status: int, began: float, **context: str | None
) -> None:
    """Log a request and its status. `began` is a `time.perf_counter` value."""
    milliseconds = round((time.perf_counter() - began) * 1000, 1)
    log.info(
        "request", **context, method=method, route=route, status=status, milliseconds=milliseconds
    )

"""Structured logs: one line per request, JSON in production, no secrets.

Nothing that identifies a person or grants access (codes, tokens, session_keys, phone numbers, query
strings, bodies) is passed to the log.
"""

import logging
import re
import time
from contextlib import suppress
from secrets import token_hex

import structlog
from flask import Flask, Response, g, request

log = structlog.get_logger()

# Longer than any phone number, and not the shape of our tokens: a misplaced secret is not logged.
REQUEST_ID = re.compile(r"(?!wx[pr]_)[A-Za-z0-9._-]{16,64}")
DETAIL = re.compile(r"(?<=\nDETAIL:).*?(?=\n\n|\n\[|\Z)", re.DOTALL)
QUIET = {"/healthz", "/readyz"}


class Lines(structlog.WriteLogger):
    """Log lines on a stream. A write that fails does not fail the request."""

    def msg(self, message: str) -> None:
        """Write a line. Ignore a full disk and a closed pipe."""
        with suppress(OSError, ValueError):
            super().msg(message)

    debug = info = warning = error = critical = msg


def init_app(app: Flask, *, as_json: bool) -> None:
    """Configure logging and log every request when it is answered."""
    configure(as_json=as_json)
    app.before_request(_begin)
    app.after_request(_tell)


def configure(*, as_json: bool) -> None:
    """Make structlog and the standard library's loggers write the same lines to stderr.

    Ours go there directly: one is written for every request.
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
    logging.getLogger("werkzeug").addFilter(_holds_no_query)


def _renderer(as_json: bool) -> structlog.types.Processor:
    # ASCII, so that no character ends a line early or is lost in a log of another encoding.
    return (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        )
    )


def _without_rows(
    _: structlog.types.WrappedLogger, __: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    """Remove from a traceback the row that PostgreSQL adds to a refused write."""
    if "exception" in event:
        event["exception"] = DETAIL.sub(" (not logged)", event["exception"])
    return event


def _holds_no_query(record: logging.LogRecord) -> bool:
    return "?" not in record.getMessage()


def request_id_of(given: str) -> str:
    """Return the request id that a proxy set, if it may be logged, or a new one."""
    return given if REQUEST_ID.fullmatch(given) else token_hex(16)


def _begin() -> None:
    request_id = request_id_of(request.headers.get("X-Request-Id", ""))
    g.began = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)


def _tell(response: Response) -> Response:
    """Log the request by its route. Its path is free text."""
    response.headers["X-Request-Id"] = structlog.contextvars.get_contextvars()["request_id"]
    if request.path not in QUIET or response.status_code >= 400:
        route = request.url_rule.rule if request.url_rule else None
        log_request(request.method, route, response.status_code, g.began)
    return response


def log_request(
    method: str, route: str | None, status: int, began: float, **context: str | None
) -> None:
    """Log a request that was answered. `began` is by `time.perf_counter`."""
    milliseconds = round((time.perf_counter() - began) * 1000, 1)
    log.info(
        "request", **context, method=method, route=route, status=status, milliseconds=milliseconds
    )

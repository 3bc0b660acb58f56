"""Structured logs: one line per request, JSON in production, no secrets.

Codes, tokens, session_keys, phone numbers, query strings and bodies are never passed to the log,
because they identify a person or grant access.
The level of a request line is the severity of its failure (`app/errors/severity.py`).
"""

import logging
import re
import time
from contextlib import suppress
from json import JSONEncoder
from secrets import token_hex
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import structlog
from flask import Flask, Response, current_app, g, request

from app.errors.severity import INFO, Severity, severity_of_status
from app.errors.sqlstates import database_facts
from app.logs.sampling import Sampling
from app.logs.traceparent import trace_ids

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

log = structlog.get_logger()

# Longer than any phone number, and not the format of wxpass tokens: neither must be logged.
REQUEST_ID = re.compile(r"(?!wx[pr]_)[A-Za-z0-9._-]{16,64}")
DETAIL = re.compile(r"(?<=\nDETAIL:).*?(?=\n\n|\n\[|\Z)", re.DOTALL)
QUIET = {"/healthz", "/readyz"}
# The key in the WSGI environment of a function that receives what is known about a request.
OBSERVER = "wxpass.request_observer"


class Lines(structlog.WriteLogger):
    """Logger that writes lines to a stream and ignores write errors."""

    def msg(self, message: str) -> None:
        """Write a line. Ignore errors such as a full disk or a closed pipe."""
        with suppress(OSError, ValueError):
            super().msg(message)

    debug = info = warning = error = critical = msg


class RequestObserver(Protocol):
    """Receives the route, the severity and the log context of a request before it is logged."""

    def __call__(
        self, route: str | None, severity: Severity, context: dict[str, Any], /
    ) -> None: ...


def init_app(app: Flask, *, as_json: bool, sampling: Sampling) -> None:
    """Configure logging, and log requests after their responses were made.

    `sampling` chooses the successful requests that are logged.
    """
    configure(as_json=as_json)
    app.extensions["success_sampling"] = sampling
    app.before_request(_begin_request)
    app.after_request(_log_response)


def configure(*, as_json: bool) -> None:
    """Make structlog and the standard library's loggers write lines of one format to stderr.

    For speed, structlog writes to stderr directly, not through a standard library logger.
    """
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        _with_sqlstate,
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
    # SQLAlchemy logs each event of a pool with the logger of the pool's class.
    logging.getLogger("app.connections").setLevel(logging.WARNING)
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


def _with_sqlstate(
    _: structlog.types.WrappedLogger, __: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    """Add SQLSTATE and constraint to a line with a database error as its `exc_info`."""
    if isinstance(error := event.get("exc_info"), Exception):
        event.update(database_facts(error))
    return event


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
    structlog.contextvars.bind_contextvars(request_id=request_id, **trace_ids(request.environ))


def _log_response(response: Response) -> Response:
    """Log the request with its route. The path is left out because clients choose its text."""
    context = structlog.contextvars.get_contextvars()
    response.headers["X-Request-Id"] = context["request_id"]
    if request.path not in QUIET or response.status_code >= 400:
        route = request.url_rule.rule if request.url_rule else None
        severity = g.get("severity") or severity_of_status(response.status_code)
        facts = RequestFacts(request.environ, route, response.status_code, g.began, severity)
        log_request(current_app.extensions["success_sampling"], facts, **context)
    return response


class RequestFacts(NamedTuple):
    """What the log line of a request is made of. `began` is a `time.perf_counter` value.

    `method` is that of `environ` by default.
    """

    environ: "WSGIEnvironment"
    route: str | None
    status: int
    began: float
    severity: Severity = INFO
    method: str | None = None


def log_request(sampling: Sampling, facts: RequestFacts, **context: Any) -> None:
    """Log a request and its status, unless it is successful and not in the sample.

    `context` has at least the request id.
    """
    level = facts.severity.level
    observe: RequestObserver | None = facts.environ.get(OBSERVER)
    if observe is not None:
        observe(facts.route, facts.severity, context)
    if sampling.is_on and level == "info" and facts.status < 400 and "failure" not in context:
        if not sampling.includes(context.get("trace_id")):
            return
        context["sample_rate"] = sampling.rate
    milliseconds = round((time.perf_counter() - facts.began) * 1000, 1)
    write = log.info if level == "info" else getattr(log, level)
    write(
        "request",
        **context,
        method=facts.method or facts.environ["REQUEST_METHOD"].upper(),
        route=facts.route,
        status=facts.status,
        milliseconds=milliseconds,
    )

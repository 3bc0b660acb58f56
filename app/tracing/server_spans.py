"""WSGI middleware that records a span for each request, also for those answered before Flask.

Health checks are not recorded. The span has no path, query, header or address of the client.
"""

from collections.abc import Callable, Iterable, Iterator
from contextvars import Token
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from opentelemetry import context, trace
from opentelemetry.trace import Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from app.errors.severity import Severity
from app.logs import OBSERVER, QUIET
from app.logs.traceparent import OWN_IDS, find_traceparent
from app.tracing.spans import Spans

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
# The attribute for each value in the log context of a request.
FROM_LOG = {
    "appid": "wxpass.appid",
    "tenant": "wxpass.tenant",
    "failure": "wxpass.error_code",
    "errcode": "wxpass.wechat.errcode",
    "request_id": "wxpass.request_id",
}


class TracedRequests:
    """WSGI middleware that records a span for each request."""

    def __init__(self, app: "WSGIApplication", spans: Spans) -> None:
        self._app = app
        self._spans = spans

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Call the app inside a span, which ends when the response is complete."""
        if environ["PATH_INFO"] in QUIET:
            return self._app(environ, start_response)
        span = self._start_span(environ)
        ids = span.get_span_context()
        environ[OWN_IDS] = {
            "trace_id": trace.format_trace_id(ids.trace_id),
            "span_id": trace.format_span_id(ids.span_id),
        }
        described = RequestSpan(span, _method(environ))
        environ[OBSERVER] = described.describe

        def start(status: str, *others: Any) -> Any:
            described.set_status(int(status[:3]))
            return start_response(status, *others)

        token = context.attach(trace.set_span_in_context(span))
        response = Response(span, token)
        try:
            parts = self._app(environ, start)
        except BaseException:
            span.set_status(Status(StatusCode.ERROR))
            response.close()
            raise
        response.parts = parts
        if isinstance(parts, tuple | list):
            response.close()
            return parts
        return response

    def _start_span(self, environ: "WSGIEnvironment") -> Span:
        method = _method(environ)
        parent = find_traceparent(environ)
        attributes = {"http.request.method": method, "url.scheme": environ["wsgi.url_scheme"]}
        # An empty context: a span of the previous request of the connection is no parent.
        above = context.Context()
        if parent is not None:
            caller = SpanContext(
                int(parent.trace_id, 16),
                int(parent.span_id, 16),
                is_remote=True,
                trace_flags=TraceFlags(TraceFlags.SAMPLED if parent.is_sampled else 0),
            )
            above = trace.set_span_in_context(trace.NonRecordingSpan(caller), above)
        return self._spans.tracer.start_span(method, above, SpanKind.SERVER, attributes)


class RequestSpan:
    """The span of a request. Its status and its log line come in either order."""

    def __init__(self, span: Span, method: str) -> None:
        self._span = span
        self._method = method
        self._status = 0
        self._error_code: str | None = None

    def describe(self, route: str | None, severity: Severity, known: dict[str, Any]) -> None:
        """Add what the log line of the request says about it."""
        if route is not None:
            self._span.update_name(f"{self._method} {route}")
            self._span.set_attribute("http.route", route)
        for name, attribute in FROM_LOG.items():
            if known.get(name) is not None:
                self._span.set_attribute(attribute, known[name])
        self._error_code = known.get("failure")
        # Existing clients get status 200 with an error in the body.
        if severity.level == "error" or self._status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._set_error()

    def set_status(self, status: int) -> None:
        """Add the status of the response."""
        self._status = status
        self._span.set_attribute("http.response.status_code", status)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._set_error()

    def _set_error(self) -> None:
        self._span.set_attribute("error.type", self._error_code or str(self._status))
        self._span.set_status(Status(StatusCode.ERROR))


class Response:
    """The parts of a response. `close` ends the span, after the last part or at a disconnect."""

    def __init__(self, span: Span, token: Token[context.Context]) -> None:
        self.parts: Iterable[bytes] = ()
        self._span = span
        self._token: Token[context.Context] | None = token

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.parts)

    def close(self) -> None:
        """Close the parts, and end the span."""
        close: Callable[[], None] | None = getattr(self.parts, "close", None)
        try:
            if close is not None:
                close()
        finally:
            if self._token is not None:
                context.detach(self._token)
                self._token = None
            self._span.end()


def _method(environ: "WSGIEnvironment") -> str:
    """Return the method, or _OTHER for a text of the client's choice, as the conventions say."""
    method: str = environ["REQUEST_METHOD"]
    return method if method in METHODS else "_OTHER"

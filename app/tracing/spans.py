"""The spans of this process, and what they may contain.

Values come from fixed lists, from routes, or from the database: never from the URL, the headers or
the body of a request. Exceptions are not recorded, because their messages contain values.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.util.types import AttributeValue


class Spans:
    """Starts spans with a tracer that each process creates at its first span.

    The background thread that sends spans does not survive the fork of a worker.
    """

    def __init__(self, new_tracer: Callable[[], Tracer]) -> None:
        self._new_tracer = new_tracer
        self._lock = Lock()
        self._process: int | None = None
        self._tracer: Tracer = trace.NoOpTracer()

    @property
    def tracer(self) -> Tracer:
        """Return the tracer of this process."""
        if self._process != os.getpid():
            with self._lock:
                if self._process != os.getpid():
                    self._tracer = self._new_tracer()
                    self._process = os.getpid()
        return self._tracer

    @contextmanager
    def client_span(self, name: str, attributes: dict[str, AttributeValue]) -> Iterator[Span]:
        """Record a call inside the block as a part of the request, if the request is recorded.

        Yields the current span. Sets `error.type` to the class of an exception.
        """
        if not trace.get_current_span().is_recording():
            yield trace.INVALID_SPAN
            return
        with self.tracer.start_as_current_span(
            name,
            kind=SpanKind.CLIENT,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except Exception as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(Status(StatusCode.ERROR))
                raise

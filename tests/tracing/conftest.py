"""The service with tracing, in this process. Its spans are kept in memory."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.trace import format_span_id, format_trace_id

from app import create_app
from app.extensions import db
from app.services.login.code_failures import CodeFailures
from app.services.runtime.rate_limits import RateLimits
from app.tracing import EXTENSION
from app.tracing.samplers import new_sampler
from app.tracing.spans import Spans
from config import Config
from config.tracing_readers import Tracing
from tests.fixtures.login_codes import clear_code_flights
from tests.fixtures.personas import Client, transactions_rolled_back

KEY = b"k" * 32


class Recorded:
    """The spans that the service has recorded."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()

    @property
    def all(self) -> Sequence[ReadableSpan]:
        return self.exporter.get_finished_spans()

    @property
    def server(self) -> ReadableSpan:
        """The span of the last request."""
        return [span for span in self.all if span.kind.name == "SERVER"][-1]

    def below(self, parent: ReadableSpan) -> list[ReadableSpan]:
        return [
            span
            for span in self.all
            if span.parent and span.parent.span_id == parent.get_span_context().span_id
        ]

    def names_below(self, parent: ReadableSpan) -> list[str]:
        return [span.name for span in self.below(parent)]

    def clear(self) -> None:
        self.exporter.clear()


def ids_of(span: ReadableSpan) -> tuple[str, str]:
    """Return the ids of a span's trace and of the span, as in the log."""
    ids = span.get_span_context()
    return format_trace_id(ids.trace_id), format_span_id(ids.span_id)


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    """Return the attributes of a span."""
    return dict(span.attributes or {})


def record_into(app: Flask, recorded: Recorded, sampler: Sampler) -> None:
    """Make the spans of an app end up in memory."""
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(recorded.exporter))
    spans: Spans = app.extensions[EXTENSION]
    spans._new_tracer = lambda: provider.get_tracer("wxpass")
    spans._process = None


@pytest.fixture(scope="session")
def traced_app(app: Flask, config: Config) -> Iterator[Flask]:
    """A second instance of the service, with tracing. `app` has created its tables."""
    traced = create_app(replace(config, tracing=Tracing("always_on", 1.0, follows_parent=False)))
    with traced.app_context():
        db.engine.connect().close()  # the savepoints of the tests need an initialised dialect
    yield traced
    with traced.app_context():
        for engine in db.engines.values():
            engine.dispose()


@pytest.fixture
def recorded(traced_app: Flask) -> Iterator[Recorded]:
    """Record the spans of all requests, and undo what the requests write."""
    recorded = Recorded()
    settings = Tracing("always_on", 1.0, follows_parent=False)
    record_into(traced_app, recorded, new_sampler(settings, KEY))
    traced_app.extensions["call_limits"]._states.clear()
    traced_app.extensions["code_failures"] = CodeFailures(RateLimits(), 30)
    clear_code_flights(traced_app)
    with transactions_rolled_back(traced_app):
        yield recorded


@pytest.fixture
def traced(traced_app: Flask, recorded: Recorded) -> Client:
    """A client of the service with tracing."""
    return Client(traced_app)

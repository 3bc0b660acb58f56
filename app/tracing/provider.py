"""The sender of spans: OTLP over HTTP, in batches, from a background thread.

The queue is bounded. If it is full, because the collector is slow or unreachable, spans are lost.
Requests never wait.
"""

import atexit
import os
from contextvars import Context

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Tracer

from app.tracing.export_warnings import limit_export_warnings
from app.tracing.samplers import new_sampler
from app.tracing.spans import Spans
from app.version import VERSION
from config.tracing_readers import Tracing

# Requests of the worker wait while a batch is encoded, so batches are small.
BATCH_SIZE = 128
# What a process that ends waits for the collector.
EXIT_SECONDS = 3.0


class SpanQueue(BatchSpanProcessor):
    """The queue of spans. At the end of the process, it waits for the collector only briefly."""

    def shutdown(self) -> None:
        """Send the queued spans. Give up after EXIT_SECONDS."""
        self._batch_processor.shutdown(timeout_millis=int(EXIT_SECONDS * 1000))


def new_spans(settings: Tracing, key: bytes) -> Spans:
    """Return the spans of an app. Each process starts its own background thread.

    `key` is secret. It makes the choice of a sampler unpredictable.
    """
    # The thread must not inherit the log context of the first request.
    return Spans(lambda: Context().run(_new_tracer, settings, key))


def _new_tracer(settings: Tracing, key: bytes) -> Tracer:
    limit_export_warnings()
    provider = TracerProvider(
        sampler=new_sampler(settings, key),
        resource=_resource(),
        shutdown_on_exit=False,
    )
    is_given = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE" in os.environ
    queue = SpanQueue(OTLPSpanExporter(), max_export_batch_size=None if is_given else BATCH_SIZE)
    provider.add_span_processor(queue)
    atexit.register(provider.shutdown)
    return provider.get_tracer("wxpass", VERSION)


def _resource() -> Resource:
    """Return the attributes of this service. OTEL_SERVICE_NAME and others override them."""
    ours = Resource({"service.name": "wxpass", "service.version": VERSION})
    given = Resource.create()
    if str(given.attributes.get("service.name")).startswith("unknown_service"):
        return given.merge(ours)
    return ours.merge(given)

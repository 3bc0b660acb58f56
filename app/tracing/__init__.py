"""OpenTelemetry traces of requests, calls to WeChat and SQL statements. Optional.

Without tracing, no module of this package but this one is loaded, and requests do no work for it.
The spans are our own. Packages that instrument libraries record URLs, queries and headers, which
contain codes, tokens and phone numbers.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from flask import Flask

from app.wechat import WeChatClient
from config import Config

if TYPE_CHECKING:
    from app.tracing.spans import Spans

EXTENSION = "spans"


def init_app(app: Flask, config: Config) -> None:
    """Prepare the spans of this app, and trace its SQL statements, if traces are to be sent.

    Call it before the engines are created.
    """
    if config.tracing is None:
        return
    # The SDK takes 15 MB in a worker, and most installations send no traces.
    spans = import_module("app.tracing.provider").new_spans(config.tracing, config.pepper)
    app.extensions[EXTENSION] = spans
    cursors = import_module("app.tracing.statements").traced_cursors(spans)
    for options in _engine_options(app):
        options["connect_args"]["cursor_factory"] = cursors


def trace_requests(app: Flask) -> None:
    """Add the middleware that records a span for each request. Only with tracing."""
    spans = _find_spans(app)
    if spans is not None:
        middleware = import_module("app.tracing.server_spans").TracedRequests
        app.wsgi_app = middleware(app.wsgi_app, spans)  # type: ignore[method-assign]


def wechat_client_class(app: Flask) -> Callable[..., WeChatClient]:
    """Return the constructor of WeChat clients. With tracing, they record a span for each call."""
    spans = _find_spans(app)
    if spans is None:
        return WeChatClient
    return partial(import_module("app.tracing.wechat_calls").TracedWeChatClient, spans)


def _find_spans(app: Flask) -> "Spans | None":
    return cast("Spans | None", app.extensions.get(EXTENSION))


def _engine_options(app: Flask) -> list[dict[str, Any]]:
    replicas = app.config["SQLALCHEMY_BINDS"].values()
    return [app.config["SQLALCHEMY_ENGINE_OPTIONS"], *replicas]

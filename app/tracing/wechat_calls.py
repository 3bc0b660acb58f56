"""Spans of the calls to WeChat. The URL is not recorded: it contains the code and the AppSecret."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.util.types import AttributeValue

from app.tracing.spans import Spans
from app.wechat import AccessToken, PhoneInfo, WeChatClient, WeChatError, WeChatIdentity


class TracedWeChatClient(WeChatClient):
    """A WeChat client that records each call as a part of the current request."""

    def __init__(self, spans: Spans, base_url: str, *watchers: Any, **options: Any) -> None:
        super().__init__(base_url, *watchers, **options, more_headers=_traceparent)
        self._spans = spans
        parts = urlsplit(base_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        self._server: dict[str, AttributeValue] = {
            "server.address": parts.hostname or "",
            "server.port": port,
        }

    def code_to_session(self, appid: str, secret: str, code: str) -> WeChatIdentity:
        """Exchange a wx.login code, and record the call."""
        with self._span(appid, "login", "GET"):
            return super().code_to_session(appid, secret, code)

    def stable_token(self, appid: str, secret: str, *, force_refresh: bool = False) -> AccessToken:
        """Fetch the access token, and record the call."""
        with self._span(appid, "token", "POST"):
            return super().stable_token(appid, secret, force_refresh=force_refresh)

    def phone_number(
        self, appid: str, access_token: str, code: str, openid: str | None = None
    ) -> PhoneInfo:
        """Exchange the code of a phone button, and record the call."""
        with self._span(appid, "phone", "POST"):
            return super().phone_number(appid, access_token, code, openid)

    @contextmanager
    def _span(self, appid: str, call: str, method: str) -> Iterator[None]:
        """Record a call with its errcode. The errcode of a success is 0."""
        attributes: dict[str, AttributeValue] = {
            "http.request.method": method,
            "wxpass.appid": appid,
            "wxpass.wechat.call": call,
            **self._server,
        }
        with self._spans.client_span(f"WeChat {call}", attributes) as span:
            try:
                yield
            except WeChatError as error:
                if error.errcode is not None:
                    span.set_attribute("wxpass.wechat.errcode", error.errcode)
                if error.rid is not None:
                    span.set_attribute("wxpass.wechat.rid", error.rid)
                raise
            span.set_attribute("wxpass.wechat.errcode", 0)


def _traceparent() -> str:
    """Return the header line that names the current span, or an empty text outside of a request."""
    ids = trace.get_current_span().get_span_context()
    if not ids.is_valid:
        return ""
    flags = f"{ids.trace_flags & trace.TraceFlags.SAMPLED:02x}"
    trace_id, span_id = trace.format_trace_id(ids.trace_id), trace.format_span_id(ids.span_id)
    return f"traceparent: 00-{trace_id}-{span_id}-{flags}\r\n"

"""The app of a request: the appid in its path, or else in WeChat's Referer."""

import re
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, cast

import structlog
from flask import Flask, current_app, g, request

from app.errors import AppUnclear
from app.services.apps.apps import APPID, AppConfig, get_app

# WeChat sets it on every wx.request. A hint for routing, never a credential.
REFERER = re.compile(r"https://servicewechat\.com/([A-Za-z0-9_-]{1,64})/[^/]+/page-frame\.html")

V = TypeVar("V", bound=Callable[..., Any])

# The default of `appid` in routes without one in their path.
BY_REFERER = ""


def init_app(app: Flask) -> None:
    """Resolve the app of every request with an appid in its route, before the view."""
    app.url_value_preprocessor(_take_appid)
    app.before_request(_pick_app)


def _take_appid(endpoint: str | None, values: dict[str, Any] | None) -> None:
    values = {} if values is None else values
    g.base_appid, g.appid = values.pop("base_appid", None), values.pop("appid", None)


def even_if_disabled(view: V) -> V:
    """Mark a view that also serves disabled apps."""
    view.__dict__["even_if_disabled"] = True
    return view


def appid_as_audience(view: V) -> V:
    """Mark a view that takes the appid as an audience. The app need not be configured here.

    Proxies understand 401 and 403 only. An unknown or disabled app admits no user.
    """
    view.__dict__["appid_as_audience"] = True
    return view


def _pick_app() -> None:
    if g.appid == BY_REFERER:
        g.appid = appid_of_referer() or _refuse("no usable Referer")
    if g.base_appid not in (None, g.appid):
        _refuse("two appids in the path")
    if g.appid is not None:
        marks = current_app.view_functions[cast(str, request.endpoint)].__dict__
        if "appid_as_audience" not in marks:
            pick(g.appid, even_disabled="even_if_disabled" in marks)


def _refuse(why: str) -> NoReturn:
    raise AppUnclear(why)


def pick(appid: str, *, even_disabled: bool = False) -> AppConfig:
    """Set the app of the request. Raise AppUnknown, AppDisabled or TenantDisabled."""
    if APPID.fullmatch(appid):
        structlog.contextvars.bind_contextvars(appid=appid)
    app = g.wechat_app = get_app(appid, even_disabled=even_disabled)
    structlog.contextvars.bind_contextvars(tenant=app.tenant_slug)
    return app


def take_hint(appid: str | None) -> None:
    """Note the appid that the path names, or else the body and the Referer.

    Raises AppUnclear if body and Referer differ. A Referer never contradicts the path: clients send
    it with every request.
    """
    told = {g.appid or appid_of_referer(), appid} - {None}
    g.appid = told.pop() if told else None
    if told:
        _refuse("two appids")


def hinted_appid() -> str | None:
    """Return the appid that the request names, or None."""
    return cast(str | None, g.appid)


def pick_hinted() -> AppConfig:
    """Set the noted app. Raise AppUnclear if there is none, and what `pick` raises."""
    return pick(g.appid or _refuse("no appid"))


def appid_of_referer() -> str | None:
    """Return the appid in WeChat's Referer."""
    match = REFERER.fullmatch(request.headers.get("Referer", ""))
    return match and match.group(1)


def this_app() -> AppConfig:
    """Return the app of this request."""
    return cast(AppConfig, g.wechat_app)

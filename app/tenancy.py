"""Resolves the app of a request from the appid in its path, or else in WeChat's Referer."""

import re
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, cast

import structlog
from flask import Flask, current_app, g, request

from app.errors import AppUnclear
from app.services.apps.apps import APPID, AppConfig, get_app

# WeChat sets this Referer on every wx.request. It serves for routing only: clients can forge it.
REFERER = re.compile(r"https://servicewechat\.com/([A-Za-z0-9_-]{1,64})/[^/]+/page-frame\.html")

V = TypeVar("V", bound=Callable[..., Any])

# The default of `appid` in routes whose path has no appid.
BY_REFERER = ""


def init_app(app: Flask) -> None:
    """Resolve the app of every request with an appid in its route, before the view."""
    app.url_value_preprocessor(_take_appid)
    app.before_request(_pick_app)


def _take_appid(endpoint: str | None, values: dict[str, Any] | None) -> None:
    values = {} if values is None else values
    g.base_appid, g.appid = values.pop("base_appid", None), values.pop("appid", None)


def even_if_disabled(view: V) -> V:
    """Mark a view that also accepts requests for disabled apps."""
    view.__dict__["even_if_disabled"] = True
    return view


def appid_as_audience(view: V) -> V:
    """Mark a view that uses the appid in its path only as the required audience of the token.

    The app is not looked up: an unknown app must lead to 401 or 403, the only error statuses that
    proxies understand. No token has an unknown or disabled app as its audience.
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
    """Set and return the app of the request. Raise AppUnknown, AppDisabled or TenantDisabled."""
    if APPID.fullmatch(appid):
        structlog.contextvars.bind_contextvars(appid=appid)
    app = g.wechat_app = get_app(appid, even_disabled=even_disabled)
    structlog.contextvars.bind_contextvars(tenant=app.tenant_slug)
    return app


def take_hint(appid: str | None) -> None:
    """Set the appid of the request: the one in the path or Referer, or else `appid` of the body.

    The Referer is only read if the path has no appid. Raises AppUnclear if `appid` differs from
    the appid in the path or Referer.
    """
    told = {g.appid or appid_of_referer(), appid} - {None}
    g.appid = told.pop() if told else None
    if told:
        _refuse("two appids")


def hinted_appid() -> str | None:
    """Return the appid that `take_hint` set, or None if the request has none."""
    return cast(str | None, g.appid)


def pick_hinted() -> AppConfig:
    """Set and return the app that `take_hint` found. Raise AppUnclear, or what `pick` raises."""
    return pick(g.appid or _refuse("no appid"))


def appid_of_referer() -> str | None:
    """Return the appid in WeChat's Referer, or None if there is none."""
    match = REFERER.fullmatch(request.headers.get("Referer", ""))
    return match and match.group(1)


def this_app() -> AppConfig:
    """Return the app of this request. The route must have an appid."""
    return cast(AppConfig, g.wechat_app)

"""Metrics of failed requests by app and error code, for the native API and all dialects."""

from flask import Flask, Response, g

from app.errors import AppDisabled, DatabaseUnavailable, Failure, TenantDisabled
from app.metrics.definitions import FAILURES, OTHER
from app.metrics.recording import count
from app.services.apps.apps import APPID
from app.services.metrics.counts import count_failure

# Failures of apps that requests cannot look up or use.
OF_APPS = (AppDisabled, TenantDisabled, DatabaseUnavailable)


def init_app(app: Flask) -> None:
    """Count every failed request that belongs to a known app."""
    app.after_request(_count_failure)


def _count_failure(response: Response) -> Response:
    """Count the failure under the app in the path, or else under the app of the login.

    Requests without a known app are not counted: those with an unknown appid, and those without a
    valid login whose path has no appid. While the database is unavailable, the app cannot be
    looked up. The writer drops the counts of apps that do not exist.
    """
    failure: Failure | None = g.pop("failure", None)
    if failure is None:
        return response
    known = _known_appid()
    if appid := known or _appid_of_path(failure):
        count_failure(appid, failure.code, failure.errcode, failure.our_ip)
    # Clients choose the appid in a path, so that it must not become a label.
    count(FAILURES, known or OTHER, failure.code)
    return response


def _known_appid() -> str | None:
    subject = g.get("wechat_app") or g.get("principal")
    return None if subject is None else str(subject.appid)


def _appid_of_path(failure: Failure) -> str | None:
    appid: str | None = g.get("appid")
    is_app = isinstance(failure, OF_APPS) and appid is not None and APPID.fullmatch(appid)
    return appid if is_app else None

"""Metrics of failed requests by app and error code, for the native API and all dialects."""

from flask import Flask, Response, g

from app.errors import Failure
from app.services.metrics.counts import count_failure


def init_app(app: Flask) -> None:
    """Count every failed request that belongs to a known app."""
    app.after_request(_count_failure)


def _count_failure(response: Response) -> Response:
    """Count the failure under the app in the path, or else under the app of the login.

    Requests without a known app are not counted: those with an unknown or disabled appid, and
    those without a valid login whose path has no appid.
    """
    failure: Failure | None = g.pop("failure", None)
    subject = g.get("wechat_app") or g.get("principal")
    if failure is not None and subject is not None:
        count_failure(subject.appid, failure.code)
    return response

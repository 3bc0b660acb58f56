"""Counts of failed requests, by app and error code, in every dialect."""

from flask import Flask, Response, g

from app.errors import Failure
from app.services.metrics.counts import count_failure


def init_app(app: Flask) -> None:
    """Count the failures of all requests of a known app."""
    app.after_request(_count_failure)


def _count_failure(response: Response) -> Response:
    """Count a failure under the app of the path, or else of the request's login.

    A request with neither is not counted: its appid is unknown or disabled, or it has no valid
    login at an address without an appid.
    """
    failure: Failure | None = g.pop("failure", None)
    subject = g.get("wechat_app") or g.get("principal")
    if failure is not None and subject is not None:
        count_failure(subject.appid, failure.code)
    return response

"""Requests for an app that come to nothing are counted, whatever language they speak."""

from flask import Flask, Response, g

from app.errors import Failure
from app.services.metrics.counts import count_failure


def init_app(app: Flask) -> None:
    """Count the failures of every request whose app is known, when it is answered."""
    app.after_request(_count_failure)


def _count_failure(response: Response) -> Response:
    """Count under the app of the path, else of the login that the request carries.

    What has neither is nobody's and not counted: an appid that is not here, or is switched off,
    and what shows no login of ours at an address without an appid.
    """
    failure: Failure | None = g.pop("failure", None)
    whose = g.get("wechat_app") or g.get("principal")
    if failure is not None and whose is not None:
        count_failure(whose.appid, failure.code)
    return response

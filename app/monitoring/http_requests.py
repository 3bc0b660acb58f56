"""Durations of HTTP requests by route template, method and status."""

import time

from flask import Response, g, request

from app.metrics.definitions import HTTP_SECONDS, UNMATCHED
from app.metrics.labels import method_label
from app.metrics.recording import is_on, observe


def observe_response(response: Response) -> Response:
    """Record the duration of a request. Paths are no labels, because clients choose their text."""
    if is_on():
        route = request.url_rule.rule if request.url_rule else UNMATCHED
        seconds = time.perf_counter() - g.began
        method, status = method_label(request.method), str(response.status_code)
        observe(HTTP_SECONDS, seconds, route, method, status)
    return response

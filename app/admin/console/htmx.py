"""Requests that htmx sends to replace a part of a page."""

from flask import Response, request


def is_htmx() -> bool:
    """Return whether htmx sent the request."""
    return request.headers.get("HX-Request") == "true"


def redirect_page(response: Response) -> Response:
    """Turn a redirect into one of the whole page if htmx sent the request.

    XMLHttpRequest follows a redirect by itself, so htmx would insert a part of the other page, such
    as the sign-in page.
    """
    if is_htmx() and response.location:
        response.headers["HX-Redirect"] = response.location
        del response.headers["Location"]
        response.status_code = 200
        response.set_data(b"")
    return response

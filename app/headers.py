"""Headers that every answer carries."""

from flask import Flask, Response


def init_app(app: Flask) -> None:
    """Keep answers out of caches, for many hold tokens, and their type from being guessed."""
    app.after_request(_add)


def _add(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response

"""Headers that every answer carries."""

from flask import Flask, Response


def init_app(app: Flask) -> None:
    """Keep every answer out of caches, for many hold tokens, and its type from being guessed."""
    app.after_request(_add)


def _add(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response

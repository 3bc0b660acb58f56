"""Headers that every answer carries."""

from flask import Flask, Response

ALWAYS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def init_app(app: Flask) -> None:
    """Keep answers out of caches, for many hold tokens, and their type from being guessed."""
    app.after_request(_add)


def _add(response: Response) -> Response:
    for name, value in ALWAYS.items():
        response.headers.setdefault(name, value)
    return response

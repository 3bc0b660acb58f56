"""The native HTTP interface: JSON under /v1, and what runs the service."""

from flask_smorest import Api

from app.api.apps import blp as apps
from app.api.health import blp as health
from app.api.me import blp as me


def register(api: Api) -> None:
    """Register every native blueprint."""
    for blueprint in (apps, me, health):
        api.register_blueprint(blueprint)

"""The tenant's desk: web console and JSON API over the same services."""

from flask import Flask

from app.admin import console


def register(app: Flask) -> None:
    """Register what operators use."""
    console.init_app(app)

"""The same services, spoken as existing mini-programs speak."""

from flask import Flask

from app.dialects.gitegg import blp as gitegg


def register(app: Flask) -> None:
    """Register every dialect."""
    app.register_blueprint(gitegg)

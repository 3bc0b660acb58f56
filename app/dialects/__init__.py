"""Wire formats of existing mini-programs. They call the same services as the native API."""

from flask import Flask

from app.dialects.checkbind import blp as checkbind
from app.dialects.gitegg import blp as gitegg
from app.dialects.litemall import blp as litemall
from app.dialects.uniapp import blp as uniapp


def register(app: Flask) -> None:
    """Register the blueprints of all dialects."""
    for dialect in (gitegg, litemall, uniapp, checkbind):
        app.register_blueprint(dialect)

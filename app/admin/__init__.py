"""What operators use: the JSON API below /v1/admin, and the web console."""

from flask import Flask
from flask_smorest import Api

from app.admin import api as json_api
from app.admin import console, operator_jwts


def register(app: Flask, api: Api) -> None:
    """Register what operators use."""
    operator_jwts.init_app(app)
    json_api.register(api)
    console.init_app(app)

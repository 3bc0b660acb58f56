"""The admin API below /v1/admin, and the web console."""

from flask import Flask
from flask_smorest import Api

from app.admin import api as json_api
from app.admin import console, operator_jwts


def register(app: Flask, api: Api) -> None:
    """Register the JWT handling, the admin API and the console."""
    operator_jwts.init_app(app)
    json_api.register(api)
    console.init_app(app)

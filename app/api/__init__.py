"""The native HTTP API: JSON under /v1, WeChat's message push, and health checks."""

from flask import Flask
from flask_smorest import Api

from app.api.apps import blp as apps
from app.api.blueprint import PROBLEM
from app.api.health import blp as health
from app.api.identity import blp as identity
from app.api.me import blp as me
from app.api.openapi.texts import LOGIN_SCHEMES
from app.api.openapi.views import blp as openapi_views
from app.api.portal import blp as portal
from app.schemas.responses import ProblemResponse


def register(app: Flask, api: Api) -> None:
    """Register every native blueprint. Describe login tokens and error responses in OpenAPI."""
    app.register_blueprint(portal)
    app.register_blueprint(openapi_views)
    for name, scheme in LOGIN_SCHEMES.items():
        api.spec.components.security_scheme(name, scheme)
    api.spec.components.schema("ProblemResponse", schema=ProblemResponse)
    api.spec.components.response(PROBLEM, {"description": "An error."})
    api.DEFAULT_ERROR_RESPONSE_NAME = PROBLEM
    for blueprint in (apps, me, identity, health):
        api.register_blueprint(blueprint)
    # flask-smorest's command prints its document, which has no errors and no translations.
    app.cli.commands.pop("openapi")

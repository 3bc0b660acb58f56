"""The native HTTP API: JSON under /v1, WeChat's message push, and health checks."""

from flask import Flask
from flask_smorest import Api

from app.api.apps import blp as apps
from app.api.blueprint import LOGIN_TOKEN, PROBLEM
from app.api.health import blp as health
from app.api.identity import blp as identity
from app.api.me import blp as me
from app.api.portal import blp as portal
from app.auth import BARE_TOKEN_HEADERS
from app.problems import CODES
from app.schemas.responses import ProblemResponse

TOKEN_SCHEME = {"type": "http", "scheme": "bearer", "description": "The login token, `wxp_...`"}
PROBLEM_RESPONSE = {
    # Not an enum: generated clients would reject codes that are added later.
    "description": f"A failure, 4xx or 5xx. Its `code` is stable; one of: {', '.join(CODES)}.",
    "content": {"application/problem+json": {"schema": ProblemResponse}},
}


def register(app: Flask, api: Api) -> None:
    """Register every native blueprint. Describe login tokens and error responses in OpenAPI."""
    app.register_blueprint(portal)
    api.spec.components.security_scheme(LOGIN_TOKEN, TOKEN_SCHEME)
    for name in BARE_TOKEN_HEADERS:
        api.spec.components.security_scheme(name, {"type": "apiKey", "in": "header", "name": name})
    api.spec.components.response(PROBLEM, PROBLEM_RESPONSE)
    api.DEFAULT_ERROR_RESPONSE_NAME = PROBLEM
    for blueprint in (apps, me, identity, health):
        api.register_blueprint(blueprint)

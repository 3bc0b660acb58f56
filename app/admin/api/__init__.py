"""The operators' JSON API: the same services as the console and the commands."""

from flask_smorest import Api

from app.admin.api.apps import blp as apps
from app.admin.api.blueprint import OPERATOR_JWT
from app.admin.api.operators import blp as operators
from app.admin.api.people import blp as people
from app.admin.api.records import blp as records
from app.admin.api.service_audit import blp as service_audit
from app.admin.api.sign_in import blp as sign_in
from app.admin.api.tenants import blp as tenants
from app.admin.api.users import blp as users

JWT_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "An operator's `access_token`",
}


def register(api: Api) -> None:
    """Register every blueprint below /v1/admin, and how operators' scripts are known."""
    api.spec.components.security_scheme(OPERATOR_JWT, JWT_SCHEME)
    for blueprint in (sign_in, tenants, operators, apps, users, people, records, service_audit):
        api.register_blueprint(blueprint)

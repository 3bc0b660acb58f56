"""The admin API below /v1/admin. It calls the same services as the console and the commands."""

from flask_smorest import Api

from app.admin.api.account import blp as account
from app.admin.api.alerts import blp as alerts
from app.admin.api.apps import blp as apps
from app.admin.api.blueprint import OPERATOR_JWT
from app.admin.api.operators import blp as operators
from app.admin.api.platform_alerts import blp as platform_alerts
from app.admin.api.records import blp as records
from app.admin.api.service_audit import blp as service_audit
from app.admin.api.service_failures import blp as service_failures
from app.admin.api.sign_in import blp as sign_in
from app.admin.api.tenants import blp as tenants
from app.admin.api.user_import import blp as people
from app.admin.api.users import blp as users
from app.api.openapi.texts import OPERATOR_SCHEME

BLUEPRINTS = (
    *(sign_in, account, tenants, operators),
    *(apps, users, people, records, service_audit, service_failures),
    *(alerts, platform_alerts),
)


def register(api: Api) -> None:
    """Register every blueprint below /v1/admin and its OpenAPI components."""
    api.spec.components.security_scheme(OPERATOR_JWT, OPERATOR_SCHEME)
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)

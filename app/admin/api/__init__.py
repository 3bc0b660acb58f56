"""The admin API below /v1/admin. It calls the same services as the console and the commands."""

from flask_smorest import Api

from app.admin.api.account import blp as account
from app.admin.api.apps import blp as apps
from app.admin.api.blueprint import OPERATOR_JWT, STEP_UP
from app.admin.api.operators import blp as operators
from app.admin.api.records import blp as records
from app.admin.api.service_audit import blp as service_audit
from app.admin.api.sign_in import blp as sign_in
from app.admin.api.tenants import blp as tenants
from app.admin.api.user_import import blp as people
from app.admin.api.users import blp as users
from app.schemas.responses import ProblemResponse

JWT_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "An operator's `access_token`",
}
STEP_UP_RESPONSE = {
    "description": "An error. The code `step_up_required` means that the last sign-in or step-up of"
    " the session is at least 5 minutes old: call `POST /v1/admin/step-up`, then send the request"
    " again.",
    "content": {"application/problem+json": {"schema": ProblemResponse}},
}
BLUEPRINTS = (
    *(sign_in, account, tenants, operators),
    *(apps, users, people, records, service_audit),
)


def register(api: Api) -> None:
    """Register every blueprint below /v1/admin and its OpenAPI components."""
    api.spec.components.security_scheme(OPERATOR_JWT, JWT_SCHEME)
    api.spec.components.response(STEP_UP, STEP_UP_RESPONSE)
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)

"""Routes for platform admins to manage operators: /v1/admin/operators."""

from typing import Any
from uuid import UUID

from app.admin.api.access import platform_login, step_up_required, this_operator
from app.admin.api.blueprint import Blueprint, idempotent, paging_of
from app.api.openapi.tags import ADMIN_OPERATORS
from app.errors import (
    LastPlatformOperator,
    OneTimeCodesOff,
    OperatorExists,
    OperatorUnknown,
    SelfChangeRefused,
    SelfResetRefused,
    TenantUnknown,
)
from app.schemas.admin_requests.platform import (
    NewOperatorBody,
    NewOperatorRequest,
    OperatorChangeBody,
    OperatorChangeRequest,
)
from app.schemas.admin_requests.queries import PageParams, PageQuery
from app.schemas.admin_responses.operators import (
    InvitationResponse,
    OperatorListResponse,
    OperatorResponse,
)
from app.schemas.descriptions import response_examples
from app.schemas.requests import EmptyBody, EmptyRequest
from app.services.database.paging import Page
from app.services.operators import listed_operators, operators

blp = Blueprint("admin_operators", __name__, url_prefix="/v1/admin/operators", tag=ADMIN_OPERATORS)


@blp.get("")
@platform_login
@blp.arguments(PageQuery, location="query")
@blp.response(200, OperatorListResponse)
def list_operators(query: PageParams) -> Page[listed_operators.ShownOperator]:
    """List operators.

    For platform admins. Returns all operators, sorted by e-mail address.
    """
    return listed_operators.page_of_operators(paging_of(query))


@blp.post("")
@platform_login
@step_up_required
@idempotent
@blp.arguments(NewOperatorRequest)
@blp.response(201, InvitationResponse, example=response_examples.INVITED_OPERATOR)
@blp.errors(OperatorExists, TenantUnknown)
def invite_operator(body: NewOperatorBody) -> dict[str, Any]:
    """Invite an operator.

    For platform admins. Adds an operator without a password and returns the secret of the
    invitation, which is valid for three days. Send it to the operator yourself; wxpass sends no
    message.
    """
    invitation = operators.invite_operator(
        this_operator().actor, email=body.email, role=body.role, tenant_slug=body.tenant_slug
    )
    operator_id = listed_operators.find_operator_id(body.email)
    return {"operator": listed_operators.show_operator(operator_id), "invitation": invitation}


@blp.patch("/<uuid:operator_id>")
@platform_login
@step_up_required
@blp.arguments(OperatorChangeRequest)
@blp.response(200, OperatorResponse, example=response_examples.DISABLED_OPERATOR)
@blp.errors(OperatorUnknown, TenantUnknown, SelfChangeRefused, LastPlatformOperator)
def change_operator(body: OperatorChangeBody, operator_id: UUID) -> listed_operators.ShownOperator:
    """Change an operator.

    For platform admins. Disables or enables an operator, or changes the role. The operator's
    sessions end. You can change neither yourself nor the last platform admin who can sign in.
    """
    return operators.change_operator(
        this_operator().actor,
        operator_id,
        status=body.status,
        role=body.role,
        tenant_slug=body.tenant_slug,
    )


@blp.post("/<uuid:operator_id>/reset")
@platform_login
@step_up_required
@blp.arguments(EmptyRequest, required=False)
@blp.response(200, InvitationResponse, example=response_examples.RESET_OPERATOR)
@blp.errors(OperatorUnknown, SelfResetRefused, LastPlatformOperator)
def reset_operator(body: EmptyBody, operator_id: UUID) -> dict[str, Any]:
    """Reset an operator.

    For platform admins. Removes the operator's password, ends all sessions and returns a new
    invitation, for example if the password was forgotten. One-time codes stay enabled. You
    cannot reset yourself.
    """
    invitation = operators.reset_operator(this_operator().actor, operator_id)
    return {"operator": listed_operators.show_operator(operator_id), "invitation": invitation}


@blp.delete("/<uuid:operator_id>/one-time-codes")
@platform_login
@step_up_required
@blp.response(204)
@blp.errors(OperatorUnknown, SelfResetRefused, OneTimeCodesOff)
def remove_operator_codes(operator_id: UUID) -> None:
    """Remove an operator's one-time codes.

    For platform admins. Removes the one-time codes and recovery codes of an operator who lost
    the device. The operator's sessions end, and the password alone is then enough to sign in.
    Remove your own codes at `/v1/admin/me/one-time-codes`.
    """
    operators.remove_operator_codes(this_operator().actor, operator_id)

"""Routes for platform admins to manage operators: /v1/admin/operators."""

from typing import Any
from uuid import UUID

from app.admin.api.access import platform_login, step_up_required, this_operator
from app.admin.api.blueprint import Blueprint, idempotent, paging_of
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
from app.schemas.requests import EmptyBody, EmptyRequest
from app.services.database.paging import Page
from app.services.operators import listed_operators, operators

blp = Blueprint("admin_operators", __name__, url_prefix="/v1/admin/operators")


@blp.get("")
@platform_login
@blp.arguments(PageQuery, location="query")
@blp.response(200, OperatorListResponse)
def list_operators(query: PageParams) -> Page[listed_operators.ShownOperator]:
    """List all operators, sorted by e-mail address."""
    return listed_operators.page_of_operators(paging_of(query))


@blp.post("")
@platform_login
@step_up_required
@idempotent
@blp.arguments(NewOperatorRequest)
@blp.response(201, InvitationResponse)
def invite_operator(body: NewOperatorBody) -> dict[str, Any]:
    """Invite an operator. The invitation secret in the response is valid for three days."""
    invitation = operators.invite_operator(
        this_operator().actor, email=body.email, role=body.role, tenant_slug=body.tenant_slug
    )
    operator_id = listed_operators.find_operator_id(body.email)
    return {"operator": listed_operators.show_operator(operator_id), "invitation": invitation}


@blp.patch("/<uuid:operator_id>")
@platform_login
@step_up_required
@blp.arguments(OperatorChangeRequest)
@blp.response(200, OperatorResponse)
def change_operator(body: OperatorChangeBody, operator_id: UUID) -> listed_operators.ShownOperator:
    """Disable or enable an operator, or change the role. The operator's sessions end.

    You can change neither yourself nor the last platform admin who can sign in.
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
@blp.response(200, InvitationResponse)
def reset_operator(body: EmptyBody, operator_id: UUID) -> dict[str, Any]:
    """Remove an operator's password, end all sessions of the operator, and create an invitation.

    One-time codes stay enabled. You cannot reset yourself.
    """
    invitation = operators.reset_operator(this_operator().actor, operator_id)
    return {"operator": listed_operators.show_operator(operator_id), "invitation": invitation}


@blp.delete("/<uuid:operator_id>/one-time-codes")
@platform_login
@step_up_required
@blp.response(204)
def remove_operator_codes(operator_id: UUID) -> None:
    """Remove an operator's one-time codes and recovery codes. The operator's sessions end.

    The password alone is then enough to sign in. Remove your own codes at `me/one-time-codes`.
    """
    operators.remove_operator_codes(this_operator().actor, operator_id)

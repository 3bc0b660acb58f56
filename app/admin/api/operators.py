"""Operators, for those who run the service: /v1/admin/operators."""

from typing import Any
from uuid import UUID

from app.admin.access import platform_login, this_operator
from app.admin.api.blueprint import Blueprint, idempotent, paging_of
from app.schemas.admin_requests import NewOperatorRequest, OperatorChangeRequest, PageQuery
from app.schemas.admin_responses import (
    InvitationResponse,
    OperatorListResponse,
    OperatorResponse,
)
from app.schemas.requests import EmptyRequest
from app.services import operators
from app.services.paging import Page

blp = Blueprint("admin_operators", __name__, url_prefix="/v1/admin/operators")


@blp.get("")
@platform_login
@blp.arguments(PageQuery, location="query")
@blp.response(200, OperatorListResponse)
def list_operators(query: dict[str, Any]) -> Page[operators.ShownOperator]:
    """List the operators by e-mail address."""
    return operators.page_of_operators(paging_of(query))


@blp.post("")
@platform_login
@idempotent
@blp.arguments(NewOperatorRequest)
@blp.response(201, InvitationResponse)
def invite_operator(body: dict[str, Any]) -> dict[str, Any]:
    """Invite an operator; the answer holds the secret of the link, for three days."""
    invitation = operators.invite_operator(this_operator().actor, **body)
    operator_id = operators.find_operator_id(body["email"])
    return {"operator": operators.show_operator(operator_id), "invitation": invitation}


@blp.patch("/<uuid:operator_id>")
@platform_login
@blp.arguments(OperatorChangeRequest)
@blp.response(200, OperatorResponse)
def change_operator(body: dict[str, Any], operator_id: UUID) -> operators.ShownOperator:
    """Switch an operator off or on, or give them another role; their sessions end."""
    return operators.change_operator(this_operator().actor, operator_id, **body)


@blp.post("/<uuid:operator_id>/reset")
@platform_login
@blp.arguments(EmptyRequest, required=False)
@blp.response(200, InvitationResponse)
def reset_operator(body: dict[str, Any], operator_id: UUID) -> dict[str, Any]:
    """Take password, one-time codes and sessions away from an operator, and invite them anew."""
    invitation = operators.reset_operator(this_operator().actor, operator_id)
    return {"operator": operators.show_operator(operator_id), "invitation": invitation}

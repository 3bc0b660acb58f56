"""What was done to the service itself, for those who run it: /v1/admin/audit."""

from typing import Any

from app.admin.access import platform_login
from app.admin.api.blueprint import Blueprint, filters_of, paging_of
from app.schemas.admin_requests import AuditListQuery
from app.schemas.admin_responses import AuditListResponse
from app.services import desk_audit
from app.services.paging import Page

blp = Blueprint("admin_service_audit", __name__, url_prefix="/v1/admin/audit")


@blp.get("")
@platform_login
@blp.arguments(AuditListQuery, location="query")
@blp.response(200, AuditListResponse)
def list_service_audit(query: dict[str, Any]) -> Page[desk_audit.DeskEvent]:
    """List what was done to the service itself, newest first: to those who run it, to its keys."""
    return desk_audit.list_service_audit(filters_of(desk_audit.AuditQuery, query), paging_of(query))

"""What was done to the service itself, for those who run it: /v1/admin/audit."""

from app.admin.access import platform_login
from app.admin.api.blueprint import Blueprint, audit_query_of, paging_of
from app.schemas.admin_requests.queries import AuditListParams, AuditListQuery
from app.schemas.admin_responses import AuditListResponse
from app.services.database.paging import Page
from app.services.tenant_admin import audit_log

blp = Blueprint("admin_service_audit", __name__, url_prefix="/v1/admin/audit")


@blp.get("")
@platform_login
@blp.arguments(AuditListQuery, location="query")
@blp.response(200, AuditListResponse)
def list_service_audit(query: AuditListParams) -> Page[audit_log.ListedEvent]:
    """List what was done to the service itself, newest first: to those who run it, to its keys."""
    return audit_log.list_service_audit(audit_query_of(query), paging_of(query))

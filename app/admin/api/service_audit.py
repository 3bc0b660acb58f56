"""Route for platform admins to read the platform audit log: /v1/admin/audit."""

from app.admin.api.access import platform_login, this_operator
from app.admin.api.blueprint import Blueprint, audit_query_of, paging_of
from app.schemas.admin_requests.queries import AuditListParams, AuditListQuery
from app.schemas.admin_responses.tenants import AuditListResponse
from app.services.database.paging import Page
from app.services.tenant_admin import audit_log

blp = Blueprint("admin_service_audit", __name__, url_prefix="/v1/admin/audit")


@blp.get("")
@platform_login
@blp.arguments(AuditListQuery, location="query")
@blp.response(200, AuditListResponse)
def list_service_audit(query: AuditListParams) -> Page[audit_log.ListedEvent]:
    """List the events of the platform audit log, newest first."""
    actor = this_operator().actor
    return audit_log.list_service_audit(actor, audit_query_of(query), paging_of(query))

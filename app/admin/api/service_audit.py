"""Route for platform admins to read the platform audit log: /v1/admin/audit."""

from app.admin.api.access import platform_login, this_operator
from app.admin.api.blueprint import Blueprint, audit_query_of, paging_of
from app.api.openapi.tags import ADMIN_OPERATORS
from app.schemas.admin_requests.queries import AuditListParams, AuditListQuery
from app.schemas.admin_responses.tenants import AuditListResponse
from app.schemas.descriptions import response_examples
from app.services.database.paging import Page
from app.services.tenant_admin import audit_log

blp = Blueprint("admin_service_audit", __name__, url_prefix="/v1/admin/audit", tag=ADMIN_OPERATORS)


@blp.get("")
@platform_login
@blp.arguments(AuditListQuery, location="query")
@blp.response(200, AuditListResponse, example=response_examples.PLATFORM_EVENTS)
def list_service_audit(query: AuditListParams) -> Page[audit_log.ListedEvent]:
    """Read the platform audit log.

    For platform admins. Returns the changes that belong to no tenant, newest first: changes of
    platform admins, released and moved appids, failed sign-ins, and keys.
    """
    actor = this_operator().actor
    return audit_log.list_service_audit(actor, audit_query_of(query), paging_of(query))

"""A tenant's numbers, login sessions and audit trail: /overview, /sessions and /audit."""

from typing import Any
from uuid import UUID

from app.admin.access import tenant_admin_required, tenant_operator_required, this_tenant_scope
from app.admin.api.blueprint import Blueprint, filters_of, paging_of
from app.schemas.admin_overview import OverviewResponse
from app.schemas.admin_requests import AuditListQuery, OverviewQuery, SessionListQuery
from app.schemas.admin_responses import AuditListResponse, SessionListResponse
from app.services.database.paging import Page
from app.services.tenant_admin import audit_log, overview, sessions

blp = Blueprint("admin_records", __name__, url_prefix="/v1/admin/tenants/<string:slug>")


@blp.get("/overview")
@tenant_operator_required
@blp.arguments(OverviewQuery, location="query")
@blp.response(200, OverviewResponse)
def show_overview(query: dict[str, Any]) -> overview.Overview:
    """Sum up what happened in the tenant's mini-programs: today, and over some days."""
    return overview.get_overview(this_tenant_scope().tenant_id, **query)


@blp.get("/sessions")
@tenant_operator_required
@blp.arguments(SessionListQuery, location="query")
@blp.response(200, SessionListResponse)
def list_sessions(query: dict[str, Any]) -> Page[sessions.ListedSession]:
    """List the tenant's login sessions, newest first."""
    wanted = filters_of(sessions.SessionQuery, query)
    return sessions.list_tenant_sessions(this_tenant_scope(), wanted, paging_of(query))


@blp.delete("/sessions/<uuid:session_id>")
@tenant_admin_required
@blp.response(204)
def end_session(session_id: UUID) -> None:
    """End one login session."""
    sessions.end_session(this_tenant_scope(), session_id)


@blp.get("/audit")
@tenant_operator_required
@blp.arguments(AuditListQuery, location="query")
@blp.response(200, AuditListResponse)
def list_audit(query: dict[str, Any]) -> Page[audit_log.ListedEvent]:
    """List what was done in the tenant, newest first."""
    wanted = filters_of(audit_log.AuditQuery, query)
    return audit_log.list_audit(this_tenant_scope(), wanted, paging_of(query))

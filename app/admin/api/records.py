"""A tenant's numbers, login sessions and audit trail: /overview, /sessions and /audit."""

from typing import Any
from uuid import UUID

from app.admin.access import desk_change, desk_login, this_desk
from app.admin.api.blueprint import Blueprint, filters_of, paging_of
from app.schemas.admin_overview import OverviewResponse
from app.schemas.admin_requests import AuditListQuery, OverviewQuery, SessionListQuery
from app.schemas.admin_responses import AuditListResponse, SessionListResponse
from app.services import desk_audit, desk_sessions, overview
from app.services.paging import Page

blp = Blueprint("admin_records", __name__, url_prefix="/v1/admin/tenants/<string:slug>")


@blp.get("/overview")
@desk_login
@blp.arguments(OverviewQuery, location="query")
@blp.response(200, OverviewResponse)
def show_overview(query: dict[str, Any]) -> overview.Overview:
    """Sum up what happened in the tenant's mini-programs: today, and over some days."""
    return overview.get_overview(this_desk().tenant_id, **query)


@blp.get("/sessions")
@desk_login
@blp.arguments(SessionListQuery, location="query")
@blp.response(200, SessionListResponse)
def list_sessions(query: dict[str, Any]) -> Page[desk_sessions.DeskSession]:
    """List the tenant's login sessions, newest first."""
    wanted = filters_of(desk_sessions.SessionQuery, query)
    return desk_sessions.list_desk_sessions(this_desk(), wanted, paging_of(query))


@blp.delete("/sessions/<uuid:session_id>")
@desk_change
@blp.response(204)
def end_session(session_id: UUID) -> None:
    """End one login session."""
    desk_sessions.end_session(this_desk(), session_id)


@blp.get("/audit")
@desk_login
@blp.arguments(AuditListQuery, location="query")
@blp.response(200, AuditListResponse)
def list_audit(query: dict[str, Any]) -> Page[desk_audit.DeskEvent]:
    """List what was done in the tenant, newest first."""
    wanted = filters_of(desk_audit.AuditQuery, query)
    return desk_audit.list_audit(this_desk(), wanted, paging_of(query))

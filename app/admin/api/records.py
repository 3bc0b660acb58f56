"""Routes of a tenant's statistics, login sessions and audit log."""

from datetime import timedelta
from uuid import UUID

from app.admin.api.access import tenant_admin_required, tenant_operator_required, this_tenant_scope
from app.admin.api.blueprint import Blueprint, audit_query_of, paging_of
from app.admin.api.failure_texts import in_accepted_language
from app.api.openapi.tags import ADMIN_RECORDS
from app.errors import SessionUnknown
from app.schemas.admin_overview import OverviewResponse
from app.schemas.admin_requests.queries import (
    AuditListParams,
    AuditListQuery,
    FailuresParams,
    FailuresQuery,
    OverviewParams,
    OverviewQuery,
    SessionListParams,
    SessionListQuery,
)
from app.schemas.admin_responses.failures import FailuresResponse
from app.schemas.admin_responses.tenants import AuditListResponse
from app.schemas.admin_responses.users import SessionListResponse
from app.services.database.paging import Page
from app.services.failures.failing import FailureReport
from app.services.tenant_admin import audit_log, failures, overview, sessions

blp = Blueprint(
    "admin_records", __name__, url_prefix="/v1/admin/tenants/<string:slug>", tag=ADMIN_RECORDS
)


@blp.get("/overview")
@tenant_operator_required
@blp.arguments(OverviewQuery, location="query")
@blp.response(200, OverviewResponse)
def show_overview(query: OverviewParams) -> overview.Overview:
    """Show login statistics.

    Returns event counts, failures and response times of WeChat: today, in total, by day and by
    mini-program. Days are in Asia/Shanghai.
    """
    return overview.get_overview(this_tenant_scope(), days=query.days)


@blp.get("/failures")
@tenant_operator_required
@blp.arguments(FailuresQuery, location="query")
@blp.response(200, FailuresResponse)
def show_failures(query: FailuresParams) -> FailureReport:
    """Show failing mini-programs.

    Returns which mini-programs fail, since when, why and what to do, from counts by minute of the
    last day. Causes that WeChat or the service reports come first. The mistakes of users count
    only if they are the majority. The last few seconds may be missing.
    """
    report = failures.get_failures(this_tenant_scope(), timedelta(minutes=query.minutes))
    return in_accepted_language(report)


@blp.get("/sessions")
@tenant_operator_required
@blp.arguments(SessionListQuery, location="query")
@blp.response(200, SessionListResponse)
def list_sessions(query: SessionListParams) -> Page[sessions.ListedSession]:
    """List login sessions.

    Returns the login sessions of the tenant that match all filters, bound or not, newest first.
    """
    wanted = sessions.SessionQuery(appid=query.appid, user_id=query.user_id, living=query.living)
    return sessions.list_tenant_sessions(this_tenant_scope(), wanted, paging_of(query))


@blp.delete("/sessions/<uuid:session_id>")
@tenant_admin_required
@blp.response(204)
@blp.errors(SessionUnknown)
def end_session(session_id: UUID) -> None:
    """End a login session.

    Ends one active session of the tenant. Its tokens stop working within a second. The audit
    log records it.
    """
    sessions.end_session(this_tenant_scope(), session_id)


@blp.get("/audit")
@tenant_operator_required
@blp.arguments(AuditListQuery, location="query")
@blp.response(200, AuditListResponse)
def list_audit(query: AuditListParams) -> Page[audit_log.ListedEvent]:
    """Read the audit log.

    Returns the changes in the tenant that match all filters, newest first: who did what to
    which object, and the values before and after.
    """
    return audit_log.list_audit(this_tenant_scope(), audit_query_of(query), paging_of(query))

"""Login sessions of a tenant: list and end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, not_, select

from app.errors import SessionUnknown
from app.models import LoginSession, WeChatApp
from app.services import audit
from app.services.database.paging import (
    CursorPage,
    Listing,
    OffsetListing,
    OffsetPage,
    Page,
    read_offset_page,
    read_page,
)
from app.services.database.transactions import retry_on_conflict, transaction
from app.services.sessions.active import is_active, is_active_row
from app.services.sessions.sessions import end_sessions_statement
from app.services.tenant_admin.stale_lists import read_list
from app.services.tenant_admin.tenant_scope import TenantScope

# Ids contain the time of the insert, so they sort like `created_at`, and they have an index.
ORDERS: Final[Mapping[str, Any]] = {"created_at": LoginSession.id, "seen_at": LoginSession.seen_at}


@dataclass(frozen=True, slots=True)
class SessionQuery:
    """A filter of sessions. None matches all."""

    appid: str | None = None
    user_id: UUID | None = None
    living: bool | None = None


@dataclass(frozen=True, slots=True)
class ListedSession:
    """A login session as operators see it. `user_id` is None if it is unbound."""

    id: UUID
    appid: str
    app_name: str
    user_id: UUID | None
    identity_id: UUID | None
    device: str | None
    address: str | None
    living: bool
    created_at: datetime
    seen_at: datetime
    ended_at: datetime | None
    end_reason: str | None


def list_tenant_sessions(
    scope: TenantScope, query: SessionQuery, cursor_page: CursorPage
) -> Page[ListedSession]:
    """List the tenant's sessions, newest first. Raise CursorInvalid."""
    rows = sessions_with_apps(scope.tenant_id).where(*_wanted(scope, query))
    listing = Listing(rows, LoginSession.id, f"sessions:{scope.tenant_id}:{query}")
    return read_list(
        scope.actor,
        scope.tenant_id,
        lambda db: read_page(db, listing, cursor_page, shown_session),
    )


def offset_page_of_sessions(
    scope: TenantScope, query: SessionQuery, offset_page: OffsetPage
) -> Page[ListedSession]:
    """Return a numbered page of the tenant's sessions."""
    rows = sessions_with_apps(scope.tenant_id)
    listing = OffsetListing(rows, LoginSession.id, _wanted(scope, query), ORDERS)
    return read_list(
        scope.actor,
        scope.tenant_id,
        lambda db: read_offset_page(db, listing, offset_page, shown_session),
    )


def _wanted(scope: TenantScope, query: SessionQuery) -> Sequence[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = [LoginSession.tenant_id == scope.tenant_id]
    if query.appid is not None:
        wanted.append(LoginSession.appid == query.appid)
    if query.user_id is not None:
        wanted.append(LoginSession.user_id == query.user_id)
    if query.living is not None:
        wanted.append(is_active_row() if query.living else not_(is_active_row()))
    return wanted


def sessions_with_apps(tenant_id: UUID) -> Select[LoginSession, str]:
    """Select a tenant's sessions with the names of their apps."""
    of_app = and_(
        WeChatApp.tenant_id == LoginSession.tenant_id, WeChatApp.appid == LoginSession.appid
    )
    rows = select(LoginSession, WeChatApp.name).join(WeChatApp, of_app)
    return rows.where(LoginSession.tenant_id == tenant_id)


def shown_session(session: LoginSession, app_name: str) -> ListedSession:
    """Return a session without its tokens."""
    return ListedSession(
        session.id,
        session.appid,
        app_name,
        session.user_id,
        session.social_account_id,
        session.device,
        session.ip,
        is_active(session),
        session.created_at,
        session.seen_at,
        session.ended_at,
        session.end_reason,
    )


@retry_on_conflict
def end_session(scope: TenantScope, session_id: UUID) -> None:
    """End a session of the tenant. Raise SessionUnknown, also if it has already ended."""
    scope.refuse_reader()
    its = (LoginSession.tenant_id == scope.tenant_id, LoginSession.id == session_id)
    with transaction() as db:
        ended = end_sessions_statement("ended_by_operator", *its).returning(LoginSession.user_id)
        row = db.execute(ended).one_or_none()
        if row is None:
            raise SessionUnknown
        before, after = {"ended": False}, {"ended": True}
        told = {"before": before, "after": after, "user": row.user_id}
        audit.record(db, scope.tenant_id, scope.actor, "session.ended", session_id, **told)

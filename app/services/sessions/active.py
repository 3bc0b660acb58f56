"""The rule for active sessions, as SQL conditions and in Python.

A bound session is active until it is ended or its refresh token expires. The refresh token always
outlives the login token. An unbound session has no refresh token, and is active until it is ended
or its login token expires.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func

from app.clock import now
from app.models import LoginSession

# The SQL condition for active bound sessions. Uses the index `ix_login_sessions_active`.
BOUND_AND_ACTIVE = "ended_at IS NULL AND refresh_expires_at > %(moment)s"


def active_until(session: LoginSession) -> datetime:
    """Return when a session expires if it is not used again."""
    return session.refresh_expires_at or session.expires_at


def is_active(session: LoginSession) -> bool:
    """Return whether a loaded session is active."""
    return session.ended_at is None and active_until(session) > now()


def is_active_row() -> ColumnElement[bool]:
    """Return the SQL condition for active sessions, bound or unbound."""
    until = func.coalesce(LoginSession.refresh_expires_at, LoginSession.expires_at)
    return and_(LoginSession.ended_at.is_(None), until > now())


def active_sessions_of(tenant_id: UUID, user_id: UUID | None) -> tuple[ColumnElement[bool], ...]:
    """Return the SQL conditions for the active sessions that are bound to a user."""
    return (
        LoginSession.tenant_id == tenant_id,
        LoginSession.user_id == user_id,
        LoginSession.ended_at.is_(None),
        LoginSession.refresh_expires_at > now(),
    )

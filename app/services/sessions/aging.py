"""Older login sessions, for the demo: let time pass without waiting for it."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, update

from app.models import LoginSession
from app.services.apps.tenants import get_tenant
from app.services.database.transactions import transaction


def age_sessions(tenant_slug: str, by: timedelta) -> None:
    """Move all times of the tenant's active sessions into the past. Raise TenantUnknown.

    A session with a lifetime shorter than `by` is then expired.
    """
    with transaction() as db:
        tenant_id = get_tenant(db, tenant_slug).id
        active = (LoginSession.tenant_id == tenant_id, LoginSession.ended_at.is_(None))
        columns = ("created_at", "seen_at", "expires_at", "refresh_expires_at", "refreshed_at")
        older = {name: _earlier(getattr(LoginSession, name), by) for name in columns}
        db.execute(update(LoginSession).where(*active).values(**older))


def _earlier(moment: ColumnElement[datetime], by: timedelta) -> ColumnElement[datetime]:
    """Subtract in UTC. Citus refuses functions that depend on the time zone of the session."""
    return func.timezone("UTC", func.timezone("UTC", moment) - by)

"""Ending the sessions of a tenant or of all tenants, after a leak or a restored backup."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.models import LoginSession, Tenant
from app.services import audit
from app.services.apps.tenants import get_tenant
from app.services.database.transactions import retry_on_conflict, transaction
from app.services.sessions.active import is_active_row
from app.services.sessions.sessions import end_sessions

BATCH = 500


def end_all_sessions(
    tenant_slug: str | None = None, opened_before: datetime | None = None
) -> Iterator[int]:
    """End the active sessions of one tenant, or of all tenants. Yield the size of each batch.

    Can run while users log in, and can be repeated. `opened_before` keeps the sessions that were
    opened then or later. Raises TenantUnknown.
    """
    with transaction() as db:
        tenants = (
            [get_tenant(db, tenant_slug).id]
            if tenant_slug
            else db.scalars(select(Tenant.id).order_by(Tenant.id)).all()
        )
    for tenant_id in tenants:
        yield from _end_sessions_of(tenant_id, opened_before)


def _end_sessions_of(tenant_id: UUID, opened_before: datetime | None) -> Iterator[int]:
    which = [LoginSession.tenant_id == tenant_id, is_active_row()]
    if opened_before is not None:
        which.append(LoginSession.created_at < opened_before)
    ended = 0
    last: UUID | None = None
    while batch := _end_batch(tenant_id, which, last):
        last = batch[-1]
        ended += len(batch)
        yield len(batch)
    with transaction() as db:
        told = {"ended": ended, "opened_before": opened_before or "any time"}
        audit.record(db, tenant_id, audit.OPERATOR, "sessions.all_ended", tenant_id, **told)


@retry_on_conflict
def _end_batch(
    tenant_id: UUID, which: Sequence[ColumnElement[bool]], last: UUID | None
) -> Sequence[UUID]:
    """End the first sessions whose ids follow `last`, and return their ids."""
    with transaction() as db:
        ids = _lock_batch(db, which, last)
        of_tenant = LoginSession.tenant_id == tenant_id
        end_sessions(db, "ended_by_operator", of_tenant, LoginSession.id.in_(ids))
        return ids


def _lock_batch(
    db: Session, which: Sequence[ColumnElement[bool]], last: UUID | None
) -> Sequence[UUID]:
    batch = select(LoginSession.id).where(*which).order_by(LoginSession.id).limit(BATCH)
    if last is not None:
        batch = batch.where(LoginSession.id > last)
    return db.scalars(batch.with_for_update()).all()

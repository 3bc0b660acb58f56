"""Queries of a tenant's audit log."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import AuditEvent
from app.services.apps.tenants import get_tenant
from app.services.database.stale_reads import CaughtUpReads
from app.services.tenant_admin.audit_log import happened_since


def list_events(
    tenant_slug: str,
    limit: int,
    *,
    subject: str | None = None,
    action: str | None = None,
    since: datetime | None = None,
) -> Sequence[AuditEvent]:
    """List a tenant's audit events, newest first. Raise TenantUnknown."""
    wanted = select(AuditEvent).order_by(AuditEvent.id.desc()).limit(limit)
    if subject is not None:
        wanted = wanted.where(AuditEvent.subject == subject)
    if action is not None:
        wanted = wanted.where(AuditEvent.action == action)
    if since is not None:
        wanted = wanted.where(*happened_since(AuditEvent, since))

    def read(db: Session) -> Sequence[AuditEvent]:
        of_tenant = AuditEvent.tenant_id == get_tenant(db, tenant_slug).id
        return db.scalars(wanted.where(of_tenant)).all()

    return CaughtUpReads().read(read)

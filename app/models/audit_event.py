"""The audit log of the tenants. A trigger prevents changes of its events.

Only retention and erasure may bypass the trigger (docs/decisions/0013): they delete events after
the tenant's retention period, clear IP addresses, and replace details by `impersonal_details`.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, PrimaryKeyConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Id, Made, one_of


class EventColumns:
    """The columns that the audit logs of the tenants and of the platform share."""

    id: Mapped[Id]
    actor_kind: Mapped[str]
    actor_id: Mapped[UUID | None]
    action: Mapped[str]
    subject: Mapped[str]
    ip: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[Made]


def known_actor_kind() -> CheckConstraint:
    """Return the check constraint of both tables for `actor_kind`."""
    return one_of("actor_kind", "user", "operator", "wechat", "system")


class AuditEvent(EventColumns, Model):
    __tablename__ = "audit_events"
    __table_args__ = (
        known_actor_kind(),
        PrimaryKeyConstraint("tenant_id", "id"),
        Index(None, "tenant_id", "actor_id", "id"),
        Index(None, "tenant_id", "subject", "id"),
        Index(None, "tenant_id", "action", "id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)

"""The audit log. A trigger prevents changes of its events.

Only retention and erasure may bypass the trigger (docs/decisions/0013): they delete events after
the tenant's retention period, clear IP addresses, and replace details by `impersonal_details`.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Id, Made, one_of


class AuditEvent(Model):
    __tablename__ = "audit_events"
    __table_args__ = (
        one_of("actor_kind", "user", "operator", "wechat", "system"),
        Index(None, "tenant_id", "id"),
        Index(None, "tenant_id", "actor_id", "id"),
        Index(None, "tenant_id", "subject", "id"),
        Index(None, "tenant_id", "action", "id"),
    )

    id: Mapped[Id]
    tenant_id: Mapped[UUID | None] = mapped_column(ForeignKey("tenants.id"))
    actor_kind: Mapped[str]
    actor_id: Mapped[UUID | None]
    action: Mapped[str]
    subject: Mapped[str]
    ip: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[Made]

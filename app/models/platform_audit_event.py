"""The audit log of the platform: events that belong to no tenant.

The trigger of `audit_events` protects this table too. Events are kept for 1095 days.
"""

from sqlalchemy import Index

from app.extensions import Model
from app.models.audit_event import EventColumns, known_actor_kind


class PlatformAuditEvent(EventColumns, Model):
    __tablename__ = "platform_audit_events"
    __table_args__ = (
        known_actor_kind(),
        Index(None, "actor_id", "id"),
        Index(None, "subject", "id"),
        Index(None, "action", "id"),
    )

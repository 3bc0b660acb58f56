"""The audit trail: written in the transaction of what it tells about."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.models import AuditEvent


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it, and from which address."""

    kind: str
    id: UUID | None = None
    ip: str | None = None


# Whoever may run commands on the machine.
OPERATOR = Actor("operator")
# What WeChat tells us that a person did there.
WECHAT = Actor("wechat")
# The service, of its own accord.
SYSTEM = Actor("system")


def record(
    db: Session, tenant_id: UUID | None, actor: Actor, action: str, subject: object, **details: Any
) -> None:
    """Add an event to the caller's transaction. `details` are ids and reasons, never secrets."""
    told = {name: str(value) for name, value in details.items()}
    db.add(
        AuditEvent(
            tenant_id=tenant_id,
            actor_kind=actor.kind,
            actor_id=actor.id,
            action=action,
            subject=str(subject),
            ip=actor.ip,
            details=told,
        )
    )

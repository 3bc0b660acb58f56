"""The audit log. An event is written in the transaction of the change."""

from collections.abc import Mapping
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


# A person who runs commands on the machine.
OPERATOR = Actor("operator")
# What WeChat tells us that a person did there.
WECHAT = Actor("wechat")
# The service, of its own accord.
SYSTEM = Actor("system")


def record(
    db: Session, tenant_id: UUID | None, actor: Actor, action: str, subject: object, **details: Any
) -> None:
    """Add an event to the caller's transaction.

    `details` are ids, counts, settings and reasons. They contain no secret and nothing that
    identifies a person: no account, name, number or search text, not even masked.
    """
    told = {name: _told(value) for name, value in details.items()}
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


def before_and_after(row: object, changes: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """Return the values of a row before and after a change that is not made yet."""
    return {"before": {name: getattr(row, name) for name in changes}, "after": dict(changes)}


def _told(value: object) -> object:
    """Spell a detail as JSON has it: what was before and after by name, all else as text."""
    return dict(value) if isinstance(value, Mapping) else str(value)

"""The audit logs: one table for the tenants, and one for the platform.

An event is written in the transaction of the change.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import Session

from app.models import AuditEvent, PlatformAuditEvent
from app.models.audit_event import EventColumns
from app.models.columns import new_id

# The columns that a statement of the fast paths inserts.
EVENT_COLUMNS = ("id", "tenant_id", "actor_kind", "actor_id", "action", "subject", "ip", "details")


@dataclass(frozen=True, slots=True)
class Actor:
    """The actor of an audit event, and the IP address of the request."""

    kind: str
    id: UUID | None = None
    ip: str | None = None


# An operator who runs a CLI command.
OPERATOR = Actor("operator")
# WeChat, in a push about an action of a person.
WECHAT = Actor("wechat")
# wxpass itself, for example the retention run.
SYSTEM = Actor("system")


def record(
    db: Session, tenant_id: UUID | None, actor: Actor, action: str, subject: object, **details: Any
) -> None:
    """Add an audit event of a tenant, or of the platform, to the caller's transaction.

    `details` are ids, counts, settings and reasons. They contain no secret and nothing that
    identifies a person: no account, name, phone number or search text, not even masked.
    """
    row = _event_row(actor, action, subject, **details)
    of_platform = tenant_id is None
    db.add(PlatformAuditEvent(**row) if of_platform else AuditEvent(tenant_id=tenant_id, **row))


def event_cte(name: str, source: str) -> str:
    """Return the CTE `name`, which records an event if the CTE `source` has a row.

    `event_parameters` with the same name returns its parameters.
    """
    values = ", ".join(f"%({name}_{column})s" for column in EVENT_COLUMNS)
    columns = ", ".join(EVENT_COLUMNS)
    return f"{name} AS (INSERT INTO audit_events ({columns}) SELECT {values} FROM {source})"  # noqa: S608


def event_parameters(
    name: str, tenant_id: UUID, actor: Actor, action: str, subject: object
) -> dict[str, Any]:
    """Return the parameters of `event_cte` for an event without details."""
    row = {"id": new_id(), "tenant_id": tenant_id, **_event_row(actor, action, subject)}
    row["details"] = Jsonb(row["details"])
    return {f"{name}_{column}": row[column] for column in EVENT_COLUMNS}


def log_of(tenant_id: UUID | None) -> tuple[type[EventColumns], ColumnElement[bool]]:
    """Return the table and the condition for the events of a tenant, or of the platform if None."""
    if tenant_id is None:
        return PlatformAuditEvent, true()
    return AuditEvent, AuditEvent.tenant_id == tenant_id


def first_id(moment: datetime, off: timedelta = timedelta()) -> UUID:
    """Return the smallest possible id for a moment plus an offset. Ids begin with their time.

    The offset is added to the timestamp, because adding it to a datetime can overflow.
    """
    milliseconds = max(0, int((moment.timestamp() + off.total_seconds()) * 1000))
    return UUID(int=milliseconds << 80)


def _event_row(actor: Actor, action: str, subject: object, **details: Any) -> dict[str, Any]:
    return {
        "actor_kind": actor.kind,
        "actor_id": actor.id,
        "action": action,
        "subject": str(subject),
        "ip": actor.ip,
        "details": {name: _as_json(value) for name, value in details.items()},
    }


def before_and_after(row: object, changes: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """Return the values of a row before and after a change. Call it before the change is made."""
    return {"before": {name: getattr(row, name) for name in changes}, "after": dict(changes)}


def _as_json(value: object) -> object:
    """Return a detail as it is stored in JSON: a mapping as an object, any other value as text."""
    return dict(value) if isinstance(value, Mapping) else str(value)

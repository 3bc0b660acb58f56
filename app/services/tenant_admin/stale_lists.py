"""Lists for operators that may be read from the replica, but show the operator's own changes."""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from app.clock import now
from app.services import audit
from app.services.database.replica import find_replica
from app.services.database.stale_reads import (
    POSITION,
    Position,
    read_on_primary,
    read_stale,
)

R = TypeVar("R")

# After a change, the operator's lists are read from the primary for this period. It is longer than
# `MAX_LAG` by the differences between clocks and the time between an event's id and its commit.
OWN_CHANGES = timedelta(seconds=60)


def read_list(actor: audit.Actor, tenant_id: UUID | None, read: Callable[[Session], R]) -> R:
    """Return what `read` returns, from the replica if there is one and it is recent enough.

    The result may lack changes of the last `MAX_LAG`, but not those of the actor. `tenant_id` is
    the tenant of the list, or None for a list of the platform. `read` may run twice.
    """
    replica = find_replica()
    if replica is None:
        return read_on_primary(read)
    wanted = select(*POSITION, _has_changed_something(actor, tenant_id))
    *position, has_changed = read_on_primary(lambda db: db.execute(wanted).one())
    if has_changed:
        return read_on_primary(read)
    return read_stale(replica, Position(*position), read)


def _has_changed_something(actor: audit.Actor, tenant_id: UUID | None) -> ColumnElement[bool]:
    """Return whether the audit log has a recent event of the actor. The index finds it.

    The event is written in the transaction of the change, so it is visible as soon as the change
    is, to every process.
    """
    events, of_tenant = audit.log_of(tenant_id)
    return exists().where(
        of_tenant,
        events.actor_kind == actor.kind,
        events.actor_id == actor.id,
        events.id >= audit.first_id(now() - OWN_CHANGES),
    )

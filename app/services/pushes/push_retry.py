"""Stored pushes: list them for operators, and retry those that are not handled."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.orm import Session

from app.clock import now
from app.models import Tenant, WeChatApp, WeChatPush
from app.models.wechat_app import RELEASED
from app.services.apps.tenants import get_tenant
from app.services.database.stale_reads import CaughtUpReads
from app.services.database.tenant_reads import read_per_tenant, read_tenant_ids
from app.services.database.transactions import retry_on_conflict, transaction
from app.services.pushes.receive import HANDLERS, index_if_known, name_of
from app.wechat import read_push

log = structlog.get_logger()

LISTED = 500

NEWEST = """
SELECT id, appid, event, received_at, handled_at, failure FROM wechat_pushes
WHERE tenant_id = %(tenant_id)s ORDER BY id DESC LIMIT %(most)s
"""
NEWEST_UNHANDLED = NEWEST.replace("ORDER BY", "AND handled_at IS NULL ORDER BY")
# Pushes that wait for a handler. `_is_waiting` decides for each of them whether it is retried.
WAITING = """
SELECT id FROM wechat_pushes
WHERE tenant_id = %(tenant_id)s AND handled_at IS NULL AND event = ANY(%(events)s)
"""


@dataclass(frozen=True, slots=True)
class ListedPush:
    """A push as operators see it."""

    id: UUID
    tenant_slug: str
    appid: str
    event: str
    received_at: datetime
    handled_at: datetime | None
    failure: str | None


@dataclass(frozen=True, slots=True)
class Retried:
    """The number of pushes that were handled, and that failed again."""

    handled: int
    failed: int


def list_pushes(tenant_slug: str | None = None, *, unhandled: bool = False) -> Sequence[ListedPush]:
    """List the newest pushes of one tenant, or of all. Raise TenantUnknown."""
    statement = NEWEST_UNHANDLED if unhandled else NEWEST

    def read(db: Session) -> Sequence[ListedPush]:
        if tenant_slug is not None:
            slugs = {get_tenant(db, tenant_slug).id: tenant_slug}
        else:
            slugs = dict(db.execute(select(Tenant.id, Tenant.slug)).all())
        newest: list[ListedPush] = []
        for tenant_id, rows in read_per_tenant(db, statement, slugs, most=LISTED):
            of_tenant = (ListedPush(push_id, slugs[tenant_id], *row) for push_id, *row in rows)
            newest = nlargest(LISTED, [*newest, *of_tenant], key=lambda push: push.id)
        return newest

    return CaughtUpReads().read(read)


def retry_pushes() -> Retried:
    """Handle stored pushes, oldest first, each in its own transaction.

    These are failed pushes, and pushes received before they had a handler.
    """
    with transaction() as db:
        events, tenants = list(HANDLERS), read_tenant_ids(db)
        waiting = [
            (push_id, tenant_id)
            for tenant_id, rows in read_per_tenant(db, WAITING, tenants, events=events)
            for (push_id,) in rows
        ]
    outcomes = [_retry(tenant_id, push_id) for push_id, tenant_id in sorted(waiting)]
    return Retried(outcomes.count(True), outcomes.count(False))


def _is_waiting(tenant_id: UUID, push_id: UUID) -> ColumnElement[bool]:
    """Return the condition for a push that can be retried.

    Pushes that an interrupted release left under the appid are excluded. Their identities may
    already have the app's new key, so a handler would not find them.
    """
    is_being_released = exists().where(
        WeChatApp.tenant_id == tenant_id,
        WeChatApp.appid == WeChatPush.appid,
        WeChatApp.released_at.is_not(None),
        ~WeChatApp.appid.contains(RELEASED),
    )
    is_same = (WeChatPush.tenant_id == tenant_id) & (WeChatPush.id == push_id)
    is_unhandled = WeChatPush.handled_at.is_(None) & WeChatPush.event.in_(HANDLERS)
    return is_same & is_unhandled & ~is_being_released


def _retry(tenant_id: UUID, push_id: UUID) -> bool | None:
    """Handle a push. Return whether it succeeded, or None if another process has locked it."""
    try:
        return _handle(tenant_id, push_id)
    except Exception as error:
        log.error("push_failed", push_id=str(push_id), exc_info=error)
        failing = update(WeChatPush).where(_is_waiting(tenant_id, push_id))
        with transaction() as db:
            db.execute(failing.values(failure=name_of(error)))
        return False


@retry_on_conflict
def _handle(tenant_id: UUID, push_id: UUID) -> bool | None:
    wanted = select(WeChatPush).where(_is_waiting(tenant_id, push_id))
    with transaction() as db:
        row = db.scalar(wanted.with_for_update(skip_locked=True))
        if row is None:
            return None
        push = read_push(row.message or "")
        HANDLERS[row.event](db, row.tenant_id, row.appid, push, row.received_at)
        row.handled_at, row.failure, row.message = now(), None, None
        row.person_index = index_if_known(db, row.tenant_id, row.appid, push)
        return True

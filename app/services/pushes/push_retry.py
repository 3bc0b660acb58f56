"""Stored pushes: list them for operators, and retry those that are not handled."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.orm import Session

from app.clock import now
from app.models import Tenant, WeChatApp, WeChatPush
from app.models.wechat_app import RELEASED
from app.services.apps.tenants import get_tenant
from app.services.database.stale_reads import CaughtUpReads
from app.services.database.transactions import retry_on_conflict, transaction
from app.services.pushes.receive import HANDLERS, index_if_known, name_of
from app.wechat import read_push

log = structlog.get_logger()

LISTED = 500


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
    wanted = select(WeChatPush, Tenant.slug).join(Tenant, Tenant.id == WeChatPush.tenant_id)
    if unhandled:
        wanted = wanted.where(WeChatPush.handled_at.is_(None))

    def read(db: Session) -> Sequence[ListedPush]:
        latest = wanted.order_by(WeChatPush.id.desc()).limit(LISTED)
        if tenant_slug is not None:
            latest = latest.where(Tenant.id == get_tenant(db, tenant_slug).id)
        return [_listed(push, slug) for push, slug in db.execute(latest)]

    return CaughtUpReads().read(read)


def _listed(push: WeChatPush, slug: str) -> ListedPush:
    return ListedPush(
        push.id,
        slug,
        push.appid,
        push.event,
        push.received_at,
        push.handled_at,
        push.failure,
    )


def retry_pushes() -> Retried:
    """Handle stored pushes, oldest first, each in its own transaction.

    These are failed pushes, and pushes received before they had a handler.
    """
    waiting = select(WeChatPush.id).where(_is_waiting()).order_by(WeChatPush.id)
    with transaction() as db:
        ids = db.scalars(waiting).all()
    outcomes = [_retry(push_id) for push_id in ids]
    return Retried(outcomes.count(True), outcomes.count(False))


def _is_waiting() -> ColumnElement[bool]:
    """Return the condition for pushes that can be retried.

    Pushes that an interrupted release left under the appid are excluded. Their identities may
    already have the app's new key, so a handler would not find them.
    """
    is_being_released = exists().where(
        WeChatApp.tenant_id == WeChatPush.tenant_id,
        WeChatApp.appid == WeChatPush.appid,
        WeChatApp.released_at.is_not(None),
        ~WeChatApp.appid.contains(RELEASED),
    )
    is_unhandled = WeChatPush.handled_at.is_(None) & WeChatPush.event.in_(HANDLERS)
    return is_unhandled & ~is_being_released


def _retry(push_id: UUID) -> bool | None:
    """Handle a push. Return whether it succeeded, or None if another process has locked it."""
    try:
        return _handle(push_id)
    except Exception as error:
        log.error("push_failed", push_id=str(push_id), exc_info=error)
        failing = update(WeChatPush).where(WeChatPush.id == push_id, _is_waiting())
        with transaction() as db:
            db.execute(failing.values(failure=name_of(error)))
        return False


@retry_on_conflict
def _handle(push_id: UUID) -> bool | None:
    wanted = select(WeChatPush).where(WeChatPush.id == push_id, _is_waiting())
    with transaction() as db:
        row = db.scalar(wanted.with_for_update(skip_locked=True))
        if row is None:
            return None
        push = read_push(row.message or "")
        HANDLERS[row.event](db, row.tenant_id, row.appid, push, row.received_at)
        row.handled_at, row.failure, row.message = now(), None, None
        row.person_index = index_if_known(row.tenant_id, row.appid, push)
        return True

"""The database rows of an app: counting them, moving them to another app, deleting them."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.clock import now
from app.models import (
    AnswerTime,
    CodeExchange,
    DailyCount,
    DailyFailure,
    LoginSession,
    SocialAccount,
    WeChatAccessToken,
    WeChatApp,
    WeChatPush,
)
from app.services.database.transactions import retry_on_conflict, transaction

# Tables with rows only if the app was used, each with the column that follows appid in its index.
USE: tuple[tuple[Any, Any], ...] = (
    (SocialAccount, SocialAccount.openid),
    (LoginSession, LoginSession.id),
    (WeChatPush, WeChatPush.key_index),
)
COUNTS = (DailyCount, DailyFailure, AnswerTime)
# Tables of short-lived rows.
SHORT_LIVED = (WeChatAccessToken, CodeExchange)
BATCH = 1000


@dataclass(frozen=True, slots=True)
class AppUsage:
    """Numbers of rows that exist only because an app was used."""

    identities: int
    sessions: int
    pushes: int

    @property
    def total(self) -> int:
        """Return the sum of the three numbers."""
        return self.identities + self.sessions + self.pushes


def count_usage(db: Session, tenant_id: UUID, appid: str, most: int | None = None) -> AppUsage:
    """Count the rows of an app in each usage table, up to `most` rows per table."""
    kinds = (select(key).where(*_of(model, tenant_id, appid)).limit(most) for model, key in USE)
    counted = (select(func.count()).select_from(kind.subquery()) for kind in kinds)
    return AppUsage(*(db.scalars(one).one() for one in counted))


def is_used(db: Session, tenant_id: UUID, appid: str) -> bool:
    """Return whether any usage table has a row of the app."""
    one = (select(key).where(*_of(model, tenant_id, appid)).limit(1) for model, key in USE)
    return any(db.scalar(found) is not None for found in one)


def move_records(tenant_id: UUID, appid: str, key: str) -> None:
    """Move the identities, sessions and pushes of an app to the app `key`, and end the sessions.

    Both apps belong to the same tenant. Each batch is a transaction. Rows that are added during
    the move may stay at the old app.
    """
    for model, order in USE:
        last = None
        while True:
            moved, last = _move_batch(model, order, last, tenant_id, appid, key)
            if moved < BATCH:
                break


@retry_on_conflict
def _move_batch(
    model: Any, order: Any, after: Any, tenant_id: UUID, appid: str, key: str
) -> tuple[int, Any]:
    rest = _of(model, tenant_id, appid) + (() if after is None else (order > after,))
    few = select(model.id, order).where(*rest).order_by(order).limit(BATCH)
    changes: dict[str, Any] = {"appid": key}
    if model is LoginSession:
        changes["ended_at"] = func.coalesce(LoginSession.ended_at, now())
        changes["end_reason"] = func.coalesce(LoginSession.end_reason, "app_released")
    with transaction() as db:
        rows = db.execute(few.with_for_update()).all()
        these = (model.tenant_id == tenant_id, model.id.in_([row.id for row in rows]))
        moving = update(model).where(*these).values(**changes)
        db.execute(moving.execution_options(synchronize_session=False))
    return len(rows), rows[-1][1] if rows else after


def drop_app(db: Session, app: WeChatApp, key: str | None = None) -> None:
    """Delete an app. Delete its counts too, or move the counts to the app `key` of the same tenant.

    Foreign keys make the deletion fail while usage tables have rows of the app.
    """
    for model in COUNTS:
        its = _of(model, app.tenant_id, app.appid)
        counts = delete(model).where(*its) if key is None else _change_appid(model, its, key)
        db.execute(counts.execution_options(synchronize_session=False))
    for passing in SHORT_LIVED:
        db.execute(delete(passing).where(*_of(passing, app.tenant_id, app.appid)))
    # The caller may insert another app with the same appid.
    db.expunge(app)
    db.execute(delete(WeChatApp).where(*_of(WeChatApp, app.tenant_id, app.appid)))


def _change_appid(model: Any, its: tuple[Any, ...], key: str) -> Any:
    return update(model).where(*its).values(appid=key)


def _of(model: Any, tenant_id: UUID, appid: str) -> tuple[Any, ...]:
    return (model.tenant_id == tenant_id, model.appid == appid)

"""Deletion of old counts. A statement deletes rows of one tenant."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from secrets import SystemRandom
from uuid import UUID

import structlog

from app.clock import now
from app.extensions import Model
from app.models import AnswerTime, DailyCount, DailyFailure, MinuteCount, MinuteFailure
from app.services.database.tenant_reads import read_per_tenant, read_tenant_ids
from app.services.database.transactions import autocommit, transaction
from app.services.metrics.counts import Counts, oldest_minute, today

log = structlog.get_logger()

KEPT = timedelta(days=400)
BY_DAY = (DailyCount, DailyFailure, AnswerTime)
BY_MINUTE = (MinuteCount, MinuteFailure)
# The interval at which each process deletes old minutes of some tenants.
DROP_EVERY = timedelta(minutes=1)
# The most tenants of one deletion, selected at random. With N tenants and P processes, a tenant is
# selected every N ÷ (100 × P) minutes on average.
TENANTS_AT_ONCE = 100
# The rows of one statement.
MOST_ROWS = 5000


def drop_old_counts(at_once: int) -> Iterator[int]:
    """Delete all counts older than `KEPT`, and minutes older than `MINUTES_KEPT`.

    Yields the number of deleted rows after each transaction, which deletes up to `at_once` rows.
    """
    for tenant_id in _tenant_ids():
        for model in (*BY_DAY, *BY_MINUTE):
            yield from _drop(model, tenant_id, at_once)


def drop_old_minutes_regularly(mine: Counts) -> None:
    """Delete minutes older than `MINUTES_KEPT`, at most once a minute in each process.

    This keeps minutes for about a day even if retention runs rarely. Rows that another process is
    deleting are skipped. Never raises.
    """
    moment = now()
    if moment - mine.minutes_dropped_at < DROP_EVERY:
        return
    mine.minutes_dropped_at = moment
    try:
        tenants = _tenant_ids()
        for tenant_id in SystemRandom().sample(tenants, min(len(tenants), TENANTS_AT_ONCE)):
            for model in BY_MINUTE:
                sum(_drop(model, tenant_id, MOST_ROWS))
    except Exception as error:
        log.warning("old_minutes_not_dropped", error=type(error).__name__)


def _tenant_ids() -> list[UUID]:
    with transaction() as db:
        return list(read_tenant_ids(db))


def _drop(model: type[Model], tenant_id: UUID, at_once: int) -> Iterator[int]:
    values = {"tenant_id": tenant_id, "before": _before(model), "at_once": at_once}
    dropped = at_once
    while dropped == at_once:
        with autocommit() as db:
            dropped = db.execute(DELETIONS[model], values).rowcount
        yield dropped


def count_old_counts() -> Iterator[int]:
    """Yield the numbers of rows that `drop_old_counts` would delete."""
    with transaction() as db:
        tenants = read_tenant_ids(db)
        for model, counting in COUNTINGS.items():
            for _, ((old,),) in read_per_tenant(db, counting, tenants, before=_before(model)):
                yield old


def _before(model: type[Model]) -> date | datetime:
    return oldest_minute() if model in BY_MINUTE else today() - KEPT


def _period(model: type[Model]) -> str:
    return "minute" if model in BY_MINUTE else "day"


def _counting(model: type[Model]) -> str:
    return (
        f"SELECT count(*) FROM {model.__tablename__}"  # noqa: S608 - names of the models
        f" WHERE tenant_id = %(tenant_id)s AND {_period(model)} < %(before)s"
    )


def _deletion(model: type[Model]) -> str:
    table = model.__table__
    key = ", ".join(one.name for one in table.primary_key if one.name != "tenant_id")
    return (
        f"DELETE FROM {table} WHERE tenant_id = %(tenant_id)s AND ({key}) IN"  # noqa: S608
        f" (SELECT {key} FROM {table} WHERE tenant_id = %(tenant_id)s"
        f" AND {_period(model)} < %(before)s LIMIT %(at_once)s FOR UPDATE SKIP LOCKED)"
    )


COUNTINGS: Mapping[type[Model], str] = {model: _counting(model) for model in (*BY_DAY, *BY_MINUTE)}
DELETIONS: Mapping[type[Model], str] = {model: _deletion(model) for model in (*BY_DAY, *BY_MINUTE)}

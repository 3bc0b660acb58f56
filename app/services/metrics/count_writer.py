"""The background writer that adds in-memory counts to the database every few seconds."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import structlog
from flask import Flask
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Insert,
    Integer,
    cast,
    column,
    delete,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import insert

from app.clock import now
from app.models import (
    EVENTS,
    AnswerTime,
    DailyCount,
    DailyFailure,
    Measure,
    MinuteCount,
    MinuteFailure,
    WeChatApp,
)
from app.services.database.transactions import transaction
from app.services.metrics.counts import Counts, FailedInMinute, counts, oldest_minute, today
from app.services.runtime import background

log = structlog.get_logger()

# The interval of writes. A killed process loses the counts of at most this many seconds.
EVERY_SECONDS = 5
KEPT = timedelta(days=400)
COUNTED = (DailyCount, DailyFailure, AnswerTime)
BY_MINUTE = (MinuteCount, MinuteFailure)
# The interval at which each process deletes old minutes.
DROP_EVERY = timedelta(minutes=1)
# The rows of one statement. After an outage of the database, there may be many minutes to write.
MOST_ROWS = 5000
# The physical position of a row in its table, shorter than the primary key of four columns.
CTID: ColumnElement[str] = literal_column("ctid")


def write_regularly(app: Flask) -> None:
    """Start a writer thread in each process at its first count. It writes once more at the exit."""
    gathered: Counts = app.extensions["counts"]
    background.write_regularly(app, "count-writing", gathered, EVERY_SECONDS, write_counts)


def write_counts() -> bool:
    """Write the counts of this process in one transaction. Return whether that succeeded.

    After a failure the counts stay in memory for the next call. If the connection breaks during
    the commit, they may be written twice.
    """
    mine = counts()
    with mine.writing:
        for tally in mine.tallies:
            tally.gather()
        try:
            _write(_rows(mine))
        except Exception as error:
            kept = sum(len(tally.sums) for tally in mine.tallies)
            log.warning("counts_not_written", error=type(error).__name__, kept=kept)
            return False
        for tally in mine.tallies:
            tally.clear()
    drop_old_minutes_regularly(mine)
    return True


def _rows(mine: Counts) -> Mapping[Any, Sequence[tuple[object, ...]]]:
    """Return the rows to write to each table. Minutes that are no longer kept are left out."""
    first = oldest_minute()
    return {
        DailyCount: _rows_by_measure(mine.happened.sums, tuple(Measure)),
        DailyFailure: [(*key, how_often) for key, how_often in mine.failed.sums.items()],
        AnswerTime: [(*key, how_often) for key, how_often in mine.answered.sums.items()],
        MinuteCount: _rows_by_measure(
            {key: sums for key, sums in mine.happened_in_minutes.sums.items() if key[0] >= first},
            EVENTS,
        ),
        MinuteFailure: _rows_by_minute(
            {key: sums for key, sums in mine.failed_in_minutes.sums.items() if key[0] >= first}
        ),
    }


def _write(rows: Mapping[Any, Sequence[tuple[object, ...]]]) -> None:
    if any(rows.values()):
        with transaction() as db:
            for model, of_model in rows.items():
                for first in range(0, len(of_model), MOST_ROWS):
                    some = of_model[first : first + MOST_ROWS]
                    db.execute(_insert_or_add(model.__table__, some))


def _rows_by_measure(
    happened: Mapping[Any, int], measures: Sequence[Measure]
) -> Sequence[tuple[object, ...]]:
    """Return one row per period and app: period, appid, then the counts in the order of measures.

    The period is a day or a minute.
    """
    of_periods: dict[tuple[Any, str], dict[str, int]] = defaultdict(dict)
    for (period, appid, measure), how_often in happened.items():
        of_periods[period, appid][measure] = how_often
    return [(*key, *(sums.get(one, 0) for one in measures)) for key, sums in of_periods.items()]


def _rows_by_minute(failed: Mapping[FailedInMinute, int]) -> Sequence[tuple[object, ...]]:
    """Return one row per minute, app and cause. Several IP addresses are reduced to the last."""
    sums: dict[tuple[object, ...], int] = defaultdict(int)
    addresses: dict[tuple[object, ...], str | None] = {}
    for (*key, our_ip), how_often in failed.items():
        sums[tuple(key)] += how_often
        addresses[tuple(key)] = our_ip or addresses.get(tuple(key))
    return [(*key, how_often, addresses[key]) for key, how_often in sums.items()]


def _insert_or_add(table: Any, rows: Sequence[tuple[object, ...]]) -> Insert:
    """Return the statement that inserts rows of counts, or adds them to existing rows.

    The tenant is looked up by appid. Counts of a deleted app are dropped. All processes lock rows
    in the same order, to rule out deadlocks.
    """
    columns = [column(one.name, one.type) for one in table.columns if one.name != "tenant_id"]
    lists = zip(columns, zip(*rows, strict=True), strict=True)
    arrays = [cast(list(values), ARRAY(one.type)) for one, values in lists]
    told = func.unnest(*arrays).table_valued(*columns).render_derived(name="told")
    of_apps = select(WeChatApp.tenant_id, *told.c).join(told, told.c.appid == WeChatApp.appid)
    names = ["tenant_id", *(one.name for one in columns)]
    adding = insert(table).from_select(names, of_apps.order_by(*told.c))
    values = [one for one in table.columns if not one.primary_key]
    return adding.on_conflict_do_update(
        constraint=table.primary_key,
        set_={one.name: _added(one, adding.excluded[one.name]) for one in values},
    )


def _added(kept: Any, new: Any) -> ColumnElement[Any]:
    """Return the sum of two counts. Of two texts, such as IP addresses, return the new one."""
    return kept + new if isinstance(kept.type, Integer) else func.coalesce(new, kept)


def drop_old_counts(at_once: int) -> Iterator[int]:
    """Delete all counts older than `KEPT`, and minutes older than `MINUTES_KEPT`.

    Yields the number of deleted rows after each transaction, which deletes up to `at_once` rows.
    """
    for model in (*COUNTED, *BY_MINUTE):
        dropped = at_once
        while dropped == at_once:
            dropped = _drop_few(model, at_once)
            yield dropped


def drop_old_minutes_regularly(mine: Counts) -> None:
    """Delete minutes older than `MINUTES_KEPT`, at most once a minute in each process.

    So a day is the bound even if retention runs rarely. Never raises. Rows that another process is
    deleting are skipped.
    """
    moment = now()
    if moment - mine.minutes_dropped_at < DROP_EVERY:
        return
    mine.minutes_dropped_at = moment
    try:
        for model in BY_MINUTE:
            while _drop_few(model, MOST_ROWS) == MOST_ROWS:
                pass
    except Exception as error:
        log.warning("old_minutes_not_dropped", error=type(error).__name__)


def _drop_few(model: Any, at_once: int) -> int:
    few = select(CTID).select_from(model).where(_is_old(model)).limit(at_once)
    dropping = delete(model).where(CTID.in_(few.with_for_update(skip_locked=True)))
    with transaction() as db:
        found = dropping.returning(CTID).execution_options(synchronize_session=False)
        return len(db.scalars(found).all())


def count_old_counts() -> Iterator[int]:
    """Yield the number of rows that `drop_old_counts` would delete."""
    models = (*COUNTED, *BY_MINUTE)
    with transaction() as db:
        old = [select(func.count()).select_from(model).where(_is_old(model)) for model in models]
        counted = [db.scalars(one).one() for one in old]
    yield sum(counted)


def _is_old(model: Any) -> ColumnElement[bool]:
    is_old: ColumnElement[bool] = (
        model.minute < oldest_minute() if model in BY_MINUTE else model.day < today() - KEPT
    )
    return is_old

"""The background writer that adds in-memory counts to the database every few seconds."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import structlog
from flask import Flask
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Insert,
    cast,
    column,
    delete,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import insert

from app.models import AnswerTime, DailyCount, DailyFailure, Measure, WeChatApp
from app.services.database.transactions import transaction
from app.services.metrics.counts import Answered, Counts, Failed, Happened, counts, today
from app.services.runtime import background

log = structlog.get_logger()

# The interval of writes. A killed process loses the counts of at most this many seconds.
EVERY_SECONDS = 5
KEPT = timedelta(days=400)
COUNTED = (DailyCount, DailyFailure, AnswerTime)
# The physical position of a row in its table, shorter than the primary key of four columns.
CTID: ColumnElement[str] = literal_column("ctid")


def write_regularly(app: Flask) -> None:
    """Start a writer thread in each process at its first count. It writes once more at the exit."""
    gathered: Counts = app.extensions["counts"]
    background.write_regularly(app, "count-writing", gathered, EVERY_SECONDS, write_counts)


def write_counts() -> None:
    """Write the counts of this process in one transaction. Never raises.

    After a failure the counts stay in memory for the next call. If the connection breaks during
    the commit, they may be written twice.
    """
    mine = counts()
    with mine.writing:
        sums = mine.happened.gather(), mine.failed.gather(), mine.answered.gather()
        try:
            _write(*sums)
        except Exception as error:
            kept = sum(len(one) for one in sums)
            log.warning("counts_not_written", error=type(error).__name__, kept=kept)
            return
        for tally in (mine.happened, mine.failed, mine.answered):
            tally.clear()


def _write(
    happened: Mapping[Happened, int], failed: Mapping[Failed, int], answered: Mapping[Answered, int]
) -> None:
    rows = {
        DailyCount: _rows_of_days(happened),
        DailyFailure: [(*key, how_often) for key, how_often in failed.items()],
        AnswerTime: [(*key, how_often) for key, how_often in answered.items()],
    }
    if any(rows.values()):
        with transaction() as db:
            for model, of_model in rows.items():
                if of_model:
                    db.execute(_insert_or_add(model.__table__, of_model))


def _rows_of_days(happened: Mapping[Happened, int]) -> Sequence[tuple[object, ...]]:
    """Return one row per day and app: day, appid, then the counts in the order of `Measure`."""
    of_days: dict[tuple[date, str], dict[str, int]] = defaultdict(dict)
    for (day, appid, measure), how_often in happened.items():
        of_days[day, appid][measure] = how_often
    return [(*key, *(sums.get(one, 0) for one in Measure)) for key, sums in of_days.items()]


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
    sums = [one for one in table.columns if not one.primary_key]
    return adding.on_conflict_do_update(
        constraint=table.primary_key,
        set_={one.name: one + adding.excluded[one.name] for one in sums},
    )


def drop_old_counts(at_once: int) -> Iterator[int]:
    """Delete all counts older than `KEPT`. Yield the number of deleted rows after each transaction.

    Each transaction deletes up to `at_once` rows.
    """
    for model in COUNTED:
        few = select(CTID).select_from(model).where(_is_old(model)).limit(at_once)
        dropping = delete(model).where(CTID.in_(few.with_for_update(skip_locked=True)))
        dropped = at_once
        while dropped == at_once:
            with transaction() as db:
                found = dropping.returning(CTID).execution_options(synchronize_session=False)
                dropped = len(db.scalars(found).all())
            yield dropped


def count_old_counts() -> Iterator[int]:
    """Yield the number of rows that `drop_old_counts` would delete."""
    with transaction() as db:
        old = [select(func.count()).select_from(model).where(_is_old(model)) for model in COUNTED]
        counted = [db.scalars(one).one() for one in old]
    yield sum(counted)


def _is_old(model: type[DailyCount | DailyFailure | AnswerTime]) -> ColumnElement[bool]:
    return model.day < today() - KEPT

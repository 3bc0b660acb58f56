"""Rows of counts, and the statements that add them to the database."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import Integer

from app.extensions import Model
from app.models import (
    EVENTS,
    AnswerTime,
    DailyCount,
    DailyFailure,
    Measure,
    MinuteCount,
    MinuteFailure,
)
from app.services.metrics.counts import (
    Counts,
    FailedInMinute,
    Happened,
    HappenedInMinute,
    oldest_minute,
)


class CountRow(NamedTuple):
    """A row of a table of counts. `values` are those of all columns after `tenant_id`."""

    table: str
    values: tuple[object, ...]


def rows_by_app(mine: Counts) -> Mapping[str, Sequence[CountRow]]:
    """Return the rows to write by appid. Minutes that are no longer kept are left out."""
    rows: dict[str, list[CountRow]] = {
        key.appid: [] for tally in mine.tallies for key in tally.sums
    }
    for model, of_model in _rows(mine).items():
        for values in of_model:
            _, appid, *_ = values
            rows[str(appid)].append(CountRow(model.__tablename__, values))
    return rows


def _rows(mine: Counts) -> Mapping[type[Model], Sequence[tuple[object, ...]]]:
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


def _rows_by_measure(
    happened: Mapping[Happened, int] | Mapping[HappenedInMinute, int], measures: Sequence[Measure]
) -> Sequence[tuple[object, ...]]:
    """Return one row per period and app: period, appid, then the counts in the order of measures.

    The period is a day or a minute.
    """
    of_periods: dict[tuple[date, str], dict[str, int]] = defaultdict(dict)
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


def _insertion(model: type[Model]) -> str:
    """Return the statement that inserts a row, or adds its counts to those of the same key.

    Its parameters are the values of a `CountRow`, followed by the id of the tenant. Of two texts,
    such as IP addresses, the new one is kept.
    """
    table, columns = model.__tablename__, list(model.__table__.columns)
    names = [*(column.name for column in columns if column.name != "tenant_id"), "tenant_id"]
    key = [column.name for column in columns if column.primary_key]
    added = ", ".join(
        f"{one.name} = {table}.{one.name} + excluded.{one.name}"
        if isinstance(one.type, Integer)
        else f"{one.name} = coalesce(excluded.{one.name}, {table}.{one.name})"
        for one in columns
        if not one.primary_key
    )
    return (
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))})"  # noqa: S608 - names of the models
        f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {added}"
    )


# By table, in the order in which every process writes to the tables.
INSERTIONS: Mapping[str, str] = {
    model.__tablename__: _insertion(model)
    for model in (DailyCount, DailyFailure, AnswerTime, MinuteCount, MinuteFailure)
}

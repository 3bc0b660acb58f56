"""The background writer that adds in-memory counts to the database every few seconds.

A statement writes one row, because rows of several tenants may be on different servers. The
statements of a transaction are sent as a pipeline, so that they take few round trips.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg
import structlog
from flask import Flask

from app.services.database.transactions import autocommit
from app.services.metrics.count_rows import INSERTIONS, CountRow, rows_by_app
from app.services.metrics.counts import Counts, counts
from app.services.metrics.old_counts import drop_old_minutes_regularly
from app.services.runtime import background

log = structlog.get_logger()

# The interval of writes. A killed process loses the counts of at most this many seconds.
EVERY_SECONDS = 5
# A transaction ends with the app that reaches this number of rows. A hundred apps usually have
# fewer. Other processes that write counts of the same apps wait for its end.
MOST_ROWS = 500
# Errors of single rows, after which the connection can still be used. Citus raises
# `ConnectionFailure` if one of its nodes is unavailable.
ROW_ERRORS = (
    psycopg.IntegrityError,
    psycopg.DataError,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.ConnectionFailure,
)
TENANTS_OF_APPS = "SELECT appid, tenant_id FROM wechat_apps WHERE appid = ANY(%(appids)s)"

RowsByApp = Mapping[str, Sequence[CountRow]]


def write_regularly(app: Flask) -> None:
    """Start a writer thread in each process at its first count. It writes once more at the exit."""
    gathered: Counts = app.extensions["counts"]
    background.write_regularly(app, "count-writing", gathered, EVERY_SECONDS, write_counts)


def write_counts() -> bool:
    """Write the counts of this process. Return whether that succeeded.

    A transaction writes the counts of up to about a hundred apps. Counts that were not written stay
    in memory for the next call. If the connection breaks during a commit, the counts of that
    transaction may be written twice.
    """
    mine = counts()
    with mine.writing:
        for tally in mine.tallies:
            tally.gather()
        if not _write_all(mine):
            return False
    drop_old_minutes_regularly(mine)
    return True


def _write_all(mine: Counts) -> bool:
    rows = rows_by_app(mine)
    written: set[str] = set()
    try:
        for some in _batches(rows):
            written |= _write(some)
    except Exception as error:
        kept = sum(len(rows[appid]) for appid in rows.keys() - written)
        log.warning("counts_not_written", error=type(error).__name__, kept=kept)
    for tally in mine.tallies:
        tally.discard(written)
    return len(written) == len(rows)


def _batches(rows: RowsByApp) -> Iterator[RowsByApp]:
    batch: dict[str, Sequence[CountRow]] = {}
    size = 0
    for appid in sorted(rows):
        batch[appid] = rows[appid]
        size += len(rows[appid])
        if size >= MOST_ROWS:
            yield batch
            batch, size = {}, 0
    if batch:
        yield batch


def _write(rows: RowsByApp) -> set[str]:
    """Write the counts of apps in one transaction. Return the apps whose counts are written.

    If it fails, each half is tried again, so that the counts of one app cannot block those of
    others. Each try looks up the tenants, because an app may have been deleted.
    """
    try:
        with autocommit() as db:
            _insert_or_add(db, rows)
    except ROW_ERRORS as error:
        appids = list(rows)
        if len(appids) == 1:
            kept = len(rows[appids[0]])
            log.warning("counts_not_written", error=type(error).__name__, kept=kept)
            return set()
        half = len(appids) // 2
        parts = (appids[:half], appids[half:])
        return set().union(*(_write({one: rows[one] for one in part}) for part in parts))
    return set(rows)


def _insert_or_add(db: "psycopg.Connection[Any]", rows: RowsByApp) -> None:
    """Insert the rows, or add them to existing rows. Counts of a deleted app are dropped.

    All processes write rows in the same order, to rule out deadlocks.
    """
    tenants = _tenants_of(db, list(rows))
    with db.pipeline(), db.transaction(), db.cursor() as cursor:
        for table, statement in INSERTIONS.items():
            of_table = sorted(
                (*row.values, tenant_id)
                for appid, tenant_id in tenants.items()
                for row in rows[appid]
                if row.table == table
            )
            if of_table:
                cursor.executemany(statement, of_table)


def _tenants_of(db: "psycopg.Connection[Any]", appids: list[str]) -> Mapping[str, UUID]:
    return dict(db.execute(TENANTS_OF_APPS, {"appids": appids}).fetchall())

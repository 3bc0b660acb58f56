"""Reads that may use the read replica. They use the primary while the replica is unusable.

The block of a read is a function, because it runs again on the primary if the replica fails in the
middle. Only services whose result may be stale call this module. docs/decisions/0030 has the rules.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

import psycopg
from sqlalchemy import Text, func, literal_column, select, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from app.extensions import REPLICA, db
from app.services.database.replica import Replica, find_replica
from app.services.database.server_checks import DATABASE_IDENTITY
from app.services.database.transactions import transaction

R = TypeVar("R")

# Lists may lack the changes of this period. Otherwise the replica is skipped.
MAX_LAG = timedelta(seconds=10)
NO_LAG = timedelta()
# The time that the replica has to answer the check before each read.
CHECK_SECONDS = 1.0
# The time that the replica has to replay what the primary has already committed.
CATCH_UP_SECONDS = 0.3
CATCH_UP_INTERVAL = 0.02

CHECK = text(
    f"SELECT pg_is_in_recovery(), {DATABASE_IDENTITY},"
    " coalesce(pg_last_wal_replay_lsn() >= CAST(:lsn AS pg_lsn), false),"
    " pg_last_xact_replay_timestamp()"
)
# The end of the write-ahead log, including commits that are not flushed yet. After the last record
# of a page, PostgreSQL returns the position behind the header of the next page, which the replica
# does not reach before there is a further record. The header has up to 40 bytes.
END_OF_LOG = literal_column(
    "(SELECT CAST(CASE WHEN in_page <= 40 THEN lsn - in_page ELSE lsn END AS text) FROM"
    " (SELECT lsn, mod(lsn - '0/0', 8192) AS in_page FROM pg_current_wal_insert_lsn() AS lsn)"
    " AS insert_position)",
    Text,
)
# The columns of a `Position`, read on the primary.
POSITION = (END_OF_LOG, func.clock_timestamp(), literal_column(DATABASE_IDENTITY, Text))


@dataclass(frozen=True, slots=True)
class Position:
    """The end of the primary's write-ahead log at a time of the primary's clock.

    Only copies of `database` have a log that can be compared with it.
    """

    lsn: str
    at: datetime
    database: str


class ReplicaSkipped(Exception):
    """The replica cannot be used for this read. `pauses` says whether for the next ones, too."""

    def __init__(self, reason: str, *, pauses: bool) -> None:
        super().__init__(reason)
        self.reason, self.pauses = reason, pauses


def read_stale(replica: Replica, position: Position, read: Callable[[Session], R]) -> R:
    """Return what `read` returns on the replica, if the replica is at most `MAX_LAG` behind.

    Otherwise `read` runs on the primary. `position` is one that was just read on the primary.
    """
    try:
        return _read_on_replica(replica, position, MAX_LAG, read)
    except ReplicaSkipped as skipped:
        replica.note_failure(skipped.reason, pauses=skipped.pauses)
    return read_on_primary(read)


def read_on_primary(read: Callable[[Session], R]) -> R:
    """Return what `read` returns in a transaction on the primary."""
    with transaction() as session:
        return read(session)


class CaughtUpReads:
    """Reads that see all that was committed on the primary before the object was created.

    They use the replica if it has replayed that. After the first failure they use the primary only,
    so that a long export waits for the replica once.
    """

    def __init__(self) -> None:
        self._replica = find_replica()
        if self._replica:
            self._position = read_on_primary(_read_position)

    def read(self, read: Callable[[Session], R]) -> R:
        """Return what `read` returns. It may run twice, on the replica and on the primary."""
        if self._replica:
            try:
                return _read_on_replica(self._replica, self._position, NO_LAG, read)
            except ReplicaSkipped as skipped:
                self._replica.note_failure(skipped.reason, pauses=skipped.pauses)
                self._replica = None
        return read_on_primary(read)


def _read_position(session: Session) -> Position:
    return Position(*session.execute(select(*POSITION)).one())


def read_replica_lag() -> timedelta:
    """Return the age of the newest change that the replica has replayed, 0 if it has them all.

    Raises ReplicaSkipped if the server is no replica of the primary, or has replayed nothing.
    """
    position = read_on_primary(_read_position)
    with _replica_session() as session:
        is_replica, database, has_caught_up, replayed_at = session.execute(
            CHECK, {"lsn": position.lsn}
        ).one()
    if not is_replica or database != position.database or replayed_at is None:
        raise ReplicaSkipped("not_a_replica", pauses=True)
    return NO_LAG if has_caught_up else max(NO_LAG, position.at - replayed_at)


def _read_on_replica(
    replica: Replica, position: Position, max_lag: timedelta, read: Callable[[Session], R]
) -> R:
    try:
        with _replica_session() as session:
            _require_recent(session, position, max_lag)
            replica.note_answer()
            return read(session)
    except PoolTimeout:
        raise ReplicaSkipped("busy", pauses=False) from None
    except (DBAPIError, psycopg.Error) as error:
        raise _skipped_by(error) from None


@contextmanager
def _replica_session() -> Iterator[Session]:
    """Return a session on the replica. Its transaction is read only and is rolled back."""
    session = Session(db.engines[REPLICA], expire_on_commit=False)
    try:
        yield session
    finally:
        session.close()


def _require_recent(session: Session, position: Position, max_lag: timedelta) -> None:
    """Raise ReplicaSkipped if the server is no replica, or if it is further behind.

    Compares with the primary's log, because a replica without a connection to the primary replays
    all that it receives. Both times are of the primary's clock: the replica returns the commit time
    of the last transaction that it has replayed.
    """
    driver = cast(Any, session.connection().connection.driver_connection)
    usual, driver.wait_seconds = driver.wait_seconds, CHECK_SECONDS
    deadline = time.monotonic() + CATCH_UP_SECONDS
    while not _is_recent(session, position, max_lag):
        if time.monotonic() > deadline:
            # A few transactions behind is too much for an export, but not for the next list.
            raise ReplicaSkipped("behind", pauses=bool(max_lag))
        time.sleep(CATCH_UP_INTERVAL)
    driver.wait_seconds = usual


def _is_recent(session: Session, position: Position, max_lag: timedelta) -> bool:
    found = session.execute(CHECK, {"lsn": position.lsn}).one()
    is_replica, database, has_caught_up, replayed_at = found
    if not is_replica or database != position.database:
        raise ReplicaSkipped("not_a_replica", pauses=True)
    if has_caught_up:
        return True
    return replayed_at is not None and position.at - replayed_at <= max_lag


def _skipped_by(error: DBAPIError | psycopg.Error) -> Exception:
    """Return the reason why the replica is skipped after an error, or the error itself.

    The replica is paused unless it works and only this read has failed. A statement that took too
    long is not run on the primary, where it would take as long again.
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, psycopg.errors.QueryCanceled):
        return error
    if isinstance(cause, psycopg.errors.SerializationFailure | psycopg.errors.DeadlockDetected):
        return ReplicaSkipped("recovery_conflict", pauses=False)
    is_lost = isinstance(error, OperationalError | InterfaceError | psycopg.Error)
    return ReplicaSkipped("unreachable" if is_lost else "failed", pauses=is_lost)

"""The only way to the database for services: short, committed or rolled back, then let go."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

import psycopg
from sqlalchemy import PoolProxiedConnection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from app.extensions import db

P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS = 5
# Where a session keeps the functions to call once it is committed.
ON_COMMIT = "on_commit"
# The errors of a transaction that lost to a concurrent one.
CONFLICTS = (
    psycopg.errors.UniqueViolation,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)


# Classes of SQLSTATE: no connection, no resources, shutdown. None: the server did not say.
UNREACHABLE = ("08", "53", "57P")


class WriteConflict(Exception):
    """A concurrent transaction has changed the rows that a decision depends on."""


@contextmanager
def transaction() -> Iterator[Session]:
    """Commit at the end, roll back on any exception; the connection is given back either way.

    Nothing that waits on the network may happen inside.
    """
    session = cast(Session, db.session)
    try:
        yield session
        session.commit()
        for call in session.info.get(ON_COMMIT, ()):
            call()
    finally:
        session.info.pop(ON_COMMIT, None)
        # Rolls back what was not committed, and forgets every row, so that the next transaction
        # of this request reads afresh.
        session.close()


def on_commit(session: Session, call: Callable[[], None]) -> None:
    """Call a function once the caller's transaction is committed, and not if it is rolled back.

    The functions are called in the order in which they were added. They must not raise.
    """
    session.info.setdefault(ON_COMMIT, []).append(call)


def let_take_long(session: Session) -> None:
    """Lift the deadlines of statements in the caller's transaction."""
    session.execute(text("SET LOCAL statement_timeout = 0"))
    driver = session.connection().connection.driver_connection
    cast(Any, driver).wait_seconds = None


@contextmanager
def autocommit() -> Iterator[psycopg.Connection[Any]]:
    """Return the driver's connection, from the same pool. Each statement commits.

    For frequent requests: a statement takes one round trip, and is prepared after a few uses.
    Raises psycopg's errors, not SQLAlchemy's.
    """
    pooled = db.engine.raw_connection()
    connection = cast("psycopg.Connection[Any]", pooled.driver_connection)
    try:
        connection.autocommit = True
        yield connection
    finally:
        _give_back(pooled, connection)


def _give_back(pooled: PoolProxiedConnection, connection: psycopg.Connection[Any]) -> None:
    """Return a connection to the pool. Discard it if it is closed or still busy."""
    try:
        connection.autocommit = False
    except psycopg.Error:
        pooled.invalidate()
    pooled.close()


def violated(error: DBAPIError) -> str | None:
    """Return the name of the violated constraint, or None."""
    return error.orig.diag.constraint_name if isinstance(error.orig, psycopg.Error) else None


def is_conflict(error: DBAPIError) -> bool:
    """Return whether a concurrent transaction won, so that a retry can succeed."""
    return isinstance(error.orig, CONFLICTS)


def is_unreachable(error: BaseException) -> bool:
    """Return whether the database is out of reach, so that a next statement would fail, too."""
    origin = getattr(error, "orig", error)
    if isinstance(origin, psycopg.OperationalError):
        return origin.sqlstate is None or origin.sqlstate.startswith(UNREACHABLE)
    return isinstance(error, PoolTimeout)


def retry_on_conflict(service: Callable[P, R]) -> Callable[P, R]:
    """Retry a service of one transaction, up to `ATTEMPTS` times, after a write conflict.

    Constraints hold the invariants. After a conflict the service reads what the winner wrote and
    decides again.
    """

    @wraps(service)
    def deciding(*args: P.args, **kwargs: P.kwargs) -> R:
        for _ in range(ATTEMPTS - 1):
            try:
                return service(*args, **kwargs)
            except WriteConflict:
                continue
            except DBAPIError as error:
                if not is_conflict(error):
                    raise
        return service(*args, **kwargs)

    return deciding

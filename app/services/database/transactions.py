"""Database transactions for services, commit callbacks, and retries after write conflicts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

import psycopg
from sqlalchemy import PoolProxiedConnection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.extensions import db

P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS = 5
# The key in `Session.info` of the functions that are called after the commit.
ON_COMMIT = "on_commit"
# The errors after which PostgreSQL asks to repeat a transaction.
ABORTS = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
# The errors that PostgreSQL raises when a concurrent transaction has won a conflict.
CONFLICTS = (psycopg.errors.UniqueViolation, *ABORTS)


class WriteConflict(Exception):
    """A concurrent transaction has changed the rows that a decision depends on."""


@contextmanager
def transaction() -> Iterator[Session]:
    """Commit at the end of the block. Roll back on any exception.

    The connection goes back to the pool in both cases. Make no network calls inside the block.
    """
    session = cast(Session, db.session)
    try:
        yield session
        session.commit()
        for call in session.info.get(ON_COMMIT, ()):
            call()
    finally:
        session.info.pop(ON_COMMIT, None)
        # Roll back if not committed. Discard the loaded rows, so that the next transaction of this
        # request reads them again.
        session.close()


def on_commit(session: Session, call: Callable[[], None]) -> None:
    """Call a function after the caller's transaction is committed. Do not call it after a rollback.

    Functions are called in the order in which they were added. They must not raise exceptions.
    """
    session.info.setdefault(ON_COMMIT, []).append(call)


def lift_timeouts(session: Session) -> None:
    """Remove the statement timeouts of server and driver for the caller's transaction."""
    session.execute(text("SET LOCAL statement_timeout = 0"))
    driver = session.connection().connection.driver_connection
    cast(Any, driver).wait_seconds = None


@contextmanager
def autocommit() -> Iterator[psycopg.Connection[Any]]:
    """Return a psycopg connection from the pool that commits after each statement.

    For frequent requests: a statement takes one round trip, and psycopg prepares it after a few
    uses. Errors are psycopg's, not SQLAlchemy's.
    """
    pooled = db.engine.raw_connection()
    connection = cast("psycopg.Connection[Any]", pooled.driver_connection)
    try:
        connection.autocommit = True
        yield connection
    finally:
        _give_back(pooled, connection)


def execute_locked(
    db: "psycopg.Connection[Any]", lock: str, statement: str, values: dict[str, Any]
) -> "psycopg.Cursor[Any]":
    """Take a lock, then run a statement, in one round trip and one transaction.

    PostgreSQL runs the statements of a pipeline as one transaction. The second statement has its
    own snapshot, so it sees what the former holder of the lock has committed. `db` must be a
    connection of `autocommit`.
    """
    with db.pipeline():
        db.execute(lock, values)
        return db.execute(statement, values)


def _give_back(pooled: PoolProxiedConnection, connection: psycopg.Connection[Any]) -> None:
    """Return a connection to the pool. Discard it if it is closed or still busy."""
    try:
        connection.autocommit = False
    except psycopg.Error:
        pooled.invalidate()
    pooled.close()


def retry_on_conflict(service: Callable[P, R]) -> Callable[P, R]:
    """Retry a service function after a write conflict, up to `ATTEMPTS` calls in all.

    The function must run in one transaction. On the next call it reads the rows of the concurrent
    transaction and decides again.
    """
    return _retry_on(CONFLICTS, service)


def retry_on_deadlock(service: Callable[P, R]) -> Callable[P, R]:
    """Retry a service function after a deadlock, up to `ATTEMPTS` calls in all.

    For functions whose caller handles violated constraints, in place of `retry_on_conflict`.
    """
    return _retry_on(ABORTS, service)


def _retry_on(errors: tuple[type[psycopg.Error], ...], service: Callable[P, R]) -> Callable[P, R]:
    @wraps(service)
    def call_with_retries(*args: P.args, **kwargs: P.kwargs) -> R:
        for _ in range(ATTEMPTS - 1):
            try:
                return service(*args, **kwargs)
            except WriteConflict:
                continue
            except DBAPIError as error:
                if not isinstance(error.orig, errors):
                    raise
        return service(*args, **kwargs)

    return call_with_retries

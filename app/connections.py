"""Pooled database connections: deadlines, checks before use, and the server's connection limit."""

import time
from typing import Any, ClassVar, TypeVar

import psycopg
from flask import Flask
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, QueuePool
from sqlalchemy.util import queue

from app.extensions import db

RV = TypeVar("RV")

WAS_USED = "was_used"
# The server ends a statement first (`statement_timeout`). A server that is frozen, or a network
# that drops packets, does not.
WAIT_SECONDS = 4.5
RETRY_CONNECT_SECONDS = 0.2
# After a wait without a response, so long the next waits are short: a request makes several.
SUSPECT_SECONDS = 5.0
SUSPECT_WAIT_SECONDS = 0.5
# Messages of PostgreSQL at its connection limit. Errors of a connect have no SQLSTATE.
AT_CONNECTION_LIMIT = ("too many clients", "too many connections", "remaining connection slots")


class DeadlineConnection(psycopg.Connection[Any]):
    """A connection that gives up when the server does not respond within `wait_seconds`.

    None waits without a limit. The connection is closed then: its response could arrive later.
    """

    wait_seconds: float | None = WAIT_SECONDS
    suspect_until: ClassVar[float] = 0.0

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Run a generator that waits for the server. Raises OperationalError after the deadline."""
        try:
            result = super().wait(
                gen, interval, self._wait_seconds() if timeout is None else timeout
            )
        except _WaitTimeout:
            self.pgconn.finish()
            DeadlineConnection.suspect_until = time.monotonic() + SUSPECT_SECONDS
            raise psycopg.OperationalError("the server did not respond in time") from None
        if DeadlineConnection.suspect_until:
            DeadlineConnection.suspect_until = 0.0
        return result

    def _wait_seconds(self) -> float | None:
        if self.wait_seconds is not None and time.monotonic() < self.suspect_until:
            return min(self.wait_seconds, SUSPECT_WAIT_SECONDS)
        return self.wait_seconds


class WaitingPool(QueuePool):
    """A pool that waits for one of its connections while the server accepts no more."""

    def connect(self) -> PoolProxiedConnection:
        """Check out a connection. At the limit, wait for one as long as for a full pool."""
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                return super().connect()
            except psycopg.OperationalError as error:
                if not is_at_connection_limit(error) or time.monotonic() > deadline:
                    raise

    def _do_get(self) -> ConnectionPoolEntry:
        try:
            return super()._do_get()
        except psycopg.OperationalError as error:
            if not is_at_connection_limit(error):
                raise
            try:
                return self._pool.get(True, RETRY_CONNECT_SECONDS)
            except queue.Empty:
                raise error from None

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        """Drop a record without a connection: connecting it again could fail at the limit."""
        if record.dbapi_connection is None:
            self._dec_overflow()
        else:
            super()._do_return_conn(record)


def is_at_connection_limit(error: BaseException) -> bool:
    """Return whether PostgreSQL refused a connection because it has no more."""
    return any(text in str(error) for text in AT_CONNECTION_LIMIT)


def init_app(app: Flask) -> None:
    """Connect with deadlines, and replace closed connections before they are used."""
    with app.app_context():
        event.listen(db.engine, "do_connect", _connect)
        event.listen(db.engine, "checkout", _refuse_closed)
        event.listen(db.engine, "checkin", _restore_deadline)


def _connect(_dialect: Any, _entry: Any, arguments: Any, options: Any) -> DeadlineConnection:
    return DeadlineConnection.connect(*arguments, **options)


def _restore_deadline(connection: DeadlineConnection | None, _: ConnectionPoolEntry) -> None:
    if connection is not None:
        connection.wait_seconds = WAIT_SECONDS


def _refuse_closed(
    connection: psycopg.Connection[Any], entry: ConnectionPoolEntry, _: object
) -> None:
    """Make the pool connect again, unless the connection is new: then the database is stopping."""
    try:
        look(connection)
    except psycopg.OperationalError:
        if entry.info.get(WAS_USED):
            raise DisconnectionError from None
        raise
    entry.info[WAS_USED] = True


def look(connection: psycopg.Connection[Any]) -> None:
    """Read what has arrived, without waiting. On a closed connection this is its end.

    A ping would be a round trip of every request. Raises psycopg.OperationalError.
    """
    connection.pgconn.consume_input()  # PostgreSQL's last message, if there is one
    connection.pgconn.consume_input()

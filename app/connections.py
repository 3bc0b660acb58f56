"""Database connection pool: deadlines, order of waiting, and the server's connection limit."""

import time
from collections import deque
from threading import Event, Lock
from typing import Any, ClassVar, Self, TypeVar

import psycopg
from flask import Flask
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout
from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, QueuePool
from sqlalchemy.util import queue

from app.extensions import REPLICA, db

RV = TypeVar("RV")

WAS_USED = "was_used"
# Longer than the server's `statement_timeout`, which has no effect if the server is frozen or the
# network drops packets.
WAIT_SECONDS = 4.5
RETRY_CONNECT_SECONDS = 0.2
# After a wait timed out, waits are short for this period, because a request has several of them.
SUSPECT_SECONDS = 5.0
SUSPECT_WAIT_SECONDS = 0.5
# PostgreSQL's error messages at its connection limit. Connection errors have no SQLSTATE.
AT_CONNECTION_LIMIT = ("too many clients", "too many connections", "remaining connection slots")


class DeadlineConnection(psycopg.Connection[Any]):
    """A connection that is closed if the server does not respond within `wait_seconds`.

    The connection cannot be used again, because the late response would be read as the response
    to the next statement. `wait_seconds = None` disables the deadline.
    """

    wait_seconds: float | None = WAIT_SECONDS
    suspect_until: ClassVar[float] = 0.0

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Run psycopg's wait for a response. Raise OperationalError after the deadline."""
        try:
            result = super().wait(
                gen, interval, self._wait_seconds() if timeout is None else timeout
            )
        except _WaitTimeout:
            self.pgconn.finish()
            type(self).suspect_until = time.monotonic() + SUSPECT_SECONDS
            raise psycopg.OperationalError("the server did not respond in time") from None
        if self.suspect_until:
            type(self).suspect_until = 0.0
        return result

    def _wait_seconds(self) -> float | None:
        if self.wait_seconds is not None and time.monotonic() < self.suspect_until:
            return min(self.wait_seconds, SUSPECT_WAIT_SECONDS)
        return self.wait_seconds


class ReplicaConnection(DeadlineConnection):
    """A connection to the read replica. Its transactions begin with `BEGIN READ ONLY`.

    PostgreSQL refuses writes even if the server is a primary, or if a connection pooler has dropped
    the startup option. A timeout of the replica does not shorten the waits for the primary.
    """

    suspect_until: ClassVar[float] = 0.0

    @classmethod
    def connect(cls, *arguments: Any, **options: Any) -> Self:
        """Connect, and make all transactions read only."""
        connection = super().connect(*arguments, **options)
        connection.read_only = True
        return connection


class FairQueue(queue.QueueCommon[ConnectionPoolEntry]):
    """The queue of a connection pool. It serves waiting requests in the order of their arrival.

    In SQLAlchemy's queue, a new request can take a connection before the request that was woken for
    it, which then waits at the end again. With hundreds of requests, some time out. This class has
    only the methods that `QueuePool` calls.
    """

    def __init__(self, maxsize: int = 0, use_lifo: bool = False) -> None:
        self.maxsize, self.use_lifo = maxsize, use_lifo
        self._lock = Lock()
        self._entries: deque[ConnectionPoolEntry] = deque()
        self._waiting: deque[tuple[Event, list[ConnectionPoolEntry]]] = deque()

    def put(
        self, item: ConnectionPoolEntry, block: bool = True, timeout: float | None = None
    ) -> None:
        """Hand an entry to the request that has waited longest, or store it. Raises Full."""
        with self._lock:
            if self._waiting:
                woken, received = self._waiting.popleft()
                received.append(item)
                woken.set()
            elif len(self._entries) >= self.maxsize:
                raise queue.Full
            else:
                self._entries.append(item)

    def get(self, block: bool = True, timeout: float | None = None) -> ConnectionPoolEntry:
        """Return an entry, if necessary after waiting up to `timeout` seconds. Raises Empty."""
        with self._lock:
            if self._entries:
                return self._entries.pop() if self.use_lifo else self._entries.popleft()
            if not block:
                raise queue.Empty
            woken, received = waiting = Event(), list[ConnectionPoolEntry]()
            self._waiting.append(waiting)
        woken.wait(timeout)
        with self._lock:
            if received:
                return received[0]
            self._waiting.remove(waiting)
        raise queue.Empty

    def qsize(self) -> int:
        """Return the number of stored entries."""
        return len(self._entries)


class WaitingPool(QueuePool):
    """A pool that waits for a pooled connection while the server accepts no new connections."""

    _queue_class = FairQueue

    def connect(self) -> PoolProxiedConnection:
        """Check out a connection. At the server's limit, retry until the pool timeout."""
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
        """Discard a pool entry without a connection. Reconnecting could fail at the limit."""
        if record.dbapi_connection is None:
            self._dec_overflow()
        else:
            super()._do_return_conn(record)


def is_at_connection_limit(error: BaseException) -> bool:
    """Return whether PostgreSQL rejected the connection because of its connection limit."""
    return any(text in str(error) for text in AT_CONNECTION_LIMIT)


def init_app(app: Flask) -> None:
    """Register the pool's event listeners: deadlines, and the check for closed connections."""
    with app.app_context():
        _watch(db.engine, DeadlineConnection)
        if REPLICA in db.engines:
            _watch(db.engines[REPLICA], ReplicaConnection)


def _watch(engine: Engine, connection_class: type[DeadlineConnection]) -> None:
    """Register the listeners of the engine's pool. Its connections are of `connection_class`."""

    def connect(_dialect: Any, _entry: Any, arguments: Any, options: Any) -> DeadlineConnection:
        return connection_class.connect(*arguments, **options)

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "checkout", _refuse_closed)
    event.listen(engine, "checkin", _restore_deadline)


def _restore_deadline(connection: DeadlineConnection | None, _: ConnectionPoolEntry) -> None:
    if connection is not None:
        connection.wait_seconds = WAIT_SECONDS


def _refuse_closed(
    connection: psycopg.Connection[Any], entry: ConnectionPoolEntry, _: object
) -> None:
    """Make the pool replace a closed connection. For a new one, raise: the server is stopping."""
    try:
        raise_if_closed(connection)
    except psycopg.OperationalError:
        if entry.info.get(WAS_USED):
            raise DisconnectionError from None
        raise
    entry.info[WAS_USED] = True


def raise_if_closed(connection: psycopg.Connection[Any]) -> None:
    """Raise psycopg.OperationalError if the server has closed the connection. Never blocks.

    Cheaper than a ping, which would add a round trip to every request.
    """
    # The first call may read PostgreSQL's last message, the second one detects the end.
    connection.pgconn.consume_input()
    connection.pgconn.consume_input()

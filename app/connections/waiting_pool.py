"""The connection pool: order of waiting, and the server's connection limit."""

import time
from collections import deque
from collections.abc import Callable
from threading import Event, Lock
from typing import Any

import psycopg
from sqlalchemy.exc import TimeoutError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, QueuePool
from sqlalchemy.util import queue

from app.errors.sqlstates import is_at_connection_limit
from app.metrics.definitions import DATABASE_POOL_TIMEOUTS, DATABASE_POOL_WAIT_SECONDS
from app.metrics.recording import count, observe

RETRY_CONNECT_SECONDS = 0.2


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
        # Called with the seconds that a request has waited for an entry.
        self.on_wait: Callable[[float], None] = lambda seconds: None

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
                self.on_wait(0.0)
                return self._entries.pop() if self.use_lifo else self._entries.popleft()
            if not block:
                raise queue.Empty
            woken, received = waiting = Event(), list[ConnectionPoolEntry]()
            self._waiting.append(waiting)
        began = time.perf_counter()
        woken.wait(timeout)
        self.on_wait(time.perf_counter() - began)
        with self._lock:
            if received:
                return received[0]
            self._waiting.remove(waiting)
        raise queue.Empty

    def qsize(self) -> int:
        """Return the number of stored entries."""
        return len(self._entries)

    def waiting(self) -> int:
        """Return the number of requests that wait."""
        return len(self._waiting)


class WaitingPool(QueuePool):
    """A pool that waits for a pooled connection while the server accepts no new connections."""

    _queue_class = FairQueue
    _pool: FairQueue
    # The name in metrics.
    name = "primary"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._pool.on_wait = lambda seconds: observe(DATABASE_POOL_WAIT_SECONDS, seconds, self.name)

    def waiting(self) -> int:
        """Return the number of requests that wait for a connection."""
        return self._pool.waiting()

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
        except TimeoutError:
            count(DATABASE_POOL_TIMEOUTS, self.name)
            raise
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


class ReplicaPool(WaitingPool):
    """The pool of the read replica."""

    name = "replica"

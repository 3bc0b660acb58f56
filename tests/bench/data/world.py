"""The processes of a benchmark: PostgreSQL, a substitute for WeChat, and gunicorn."""

import os
import secrets
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import requests
from psycopg import sql

from app.keyring import KeyRing
from config.development import ROOT, fill, var_folder
from config.development.children import Child, launch
from config.development.postgres import PostgresServer, create_database, hold_server
from config.readers import read_keys, read_pepper
from tests.bench.data.filling import Filling
from tests.bench.progress import say

WORKERS = 2
POOL = 10  # database connections of a worker
READY_SECONDS = 60
STOP_SECONDS = 40
# The table that the bare login view inserts into.
TABLE = """
    CREATE TABLE IF NOT EXISTS bench_logins (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        openid text NOT NULL,
        session_key text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
    )
"""


@dataclass(frozen=True)
class Service:
    """A running gunicorn that serves the service and the bare views."""

    url: str
    pid: int


@dataclass(frozen=True)
class World:
    """A filled database, a substitute for WeChat, and an environment for the service."""

    folder: Path
    environ: Mapping[str, str]
    server_url: str

    @property
    def postmaster(self) -> int:
        """The process id of PostgreSQL's main process."""
        return int((self.folder / "postgres/postmaster.pid").read_text().splitlines()[0])

    @property
    def database_url(self) -> str:
        return self.environ["DATABASE_URL"]

    @property
    def filling(self) -> Filling:
        ring = KeyRing(read_keys(self.environ), read_pepper(self.environ))
        return Filling(self.database_url, ring)

    def delay_wechat(self, milliseconds: int) -> None:
        """Set the delay of every response of the substitute for WeChat."""
        url = f"{self.environ['WECHAT_API_BASE_URL']}/delay/{milliseconds}"
        requests.get(url, timeout=5).raise_for_status()

    @contextmanager
    def extra_database(self, suffix: str) -> Iterator[str]:
        """Create an empty database on the same server inside the block, and return its URL.

        The name of the database is that of the service's database with a suffix.
        """
        own = urlsplit(self.database_url)
        name = f"{own.path.lstrip('/')}_{suffix}"
        create_database(self.server_url, name)
        try:
            yield own._replace(path=f"/{name}").geturl()
        finally:
            drop(self.server_url, name)

    @contextmanager
    def serving(
        self,
        *,
        workers: int = WORKERS,
        pool: int = POOL,
        database_url: str = "",
        session_cache: int | None = None,
    ) -> Iterator[Service]:
        """Run gunicorn with config/gunicorn.conf.py inside the block.

        `pool` is the number of database connections of each worker, and `session_cache` the number
        of sessions that it caches, by default that of the service.
        """
        port = free_port()
        environ = dict(self.environ) | {
            "PORT": str(port),
            "GUNICORN_WORKERS": str(workers),
            "DATABASE_POOL_SIZE": str(pool),
            "DATABASE_URL": database_url or self.database_url,
        }
        if session_cache is not None:
            environ["SESSION_CACHE_SIZE"] = str(session_cache)
        arguments = ["gunicorn", "-c", "config/gunicorn.conf.py", "tests.bench.site:app"]
        log = self.folder / "service.log"
        child = launch("gunicorn", arguments, environ, ROOT, log)
        url = f"http://127.0.0.1:{port}"
        try:
            wait_for(child, f"{url}/readyz")
            yield Service(url, child.process.pid)
        finally:
            child.stop(STOP_SECONDS)


@contextmanager
def world(users: int) -> Iterator[World]:
    """Start PostgreSQL and the substitute for WeChat, and fill a database with users.

    The database is dropped at the end.
    """
    folder = var_folder(dict(os.environ)) / "bench"
    name = f"wxpass_bench_{secrets.token_hex(4)}"
    with hold_server(folder, name) as server, started_world(folder, server) as bench_world:
        try:
            migrate(bench_world)
            say(f"Filling a database with {users:,} users")
            bench_world.filling.fill(users)
            yield bench_world
        finally:
            drop(bench_world.server_url, name)


@contextmanager
def started_world(folder: Path, server: PostgresServer) -> Iterator[World]:
    """Run the substitute for WeChat inside the block, next to a running server."""
    environ = settings(folder, server.url)
    child = launch_wechat(environ, folder)
    try:
        wait_for(child, f"{environ['WECHAT_API_BASE_URL']}/delay/0")
        yield World(folder, environ, server.url_of("postgres"))
    finally:
        child.stop(STOP_SECONDS)


def settings(folder: Path, database_url: str) -> dict[str, str]:
    """Return an environment for the service with development settings and the benchmark's URLs."""
    inherited = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV")
    environ = {name: os.environ[name] for name in inherited if name in os.environ}
    environ |= {
        "WXPASS_ENV": "development",
        "WXPASS_VAR": str(folder),
        "DATABASE_URL": database_url,
        "WECHAT_API_BASE_URL": f"http://127.0.0.1:{free_port()}",
    }
    fill(environ)
    return environ


def migrate(bench_world: World) -> None:
    """Create the tables of an empty database."""
    arguments = ["flask", "--app", "wsgi", "db", "upgrade"]
    log = bench_world.folder / "migrations.log"
    migrating = launch("migrations", arguments, bench_world.environ, ROOT, log)
    migrating.process.wait()
    migrating.check_succeeded()
    with psycopg.connect(bench_world.database_url, autocommit=True) as connection:
        connection.execute(TABLE)


def launch_wechat(environ: Mapping[str, str], folder: Path) -> Child:
    """Start the substitute for WeChat in a new process."""
    port = environ["WECHAT_API_BASE_URL"].rpartition(":")[2]
    return launch("WeChat", ["tests.bench.wechat", port], environ, ROOT, folder / "wechat.log")


def wait_for(child: Child, url: str) -> None:
    """Wait until a URL returns 200. Raise RunFailed if the process ends. Exit after a minute."""
    for _ in range(READY_SECONDS * 20):
        child.check_running()
        with suppress(requests.RequestException):
            if requests.get(url, timeout=5).status_code == HTTPStatus.OK:
                return
        time.sleep(0.05)
    sys.exit(f"{url} does not answer; see {child.log}")


def free_port() -> int:
    """Return a TCP port that is currently unused."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def drop(url: str, name: str) -> None:
    """Drop a database if it exists, and close its connections."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )

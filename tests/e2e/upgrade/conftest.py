"""Processes of the service that are replaced while requests arrive."""

import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from config.development.postgres import PostgresServer, hold_server
from tests.fixtures.personas import WeChat
from tests.fixtures.servers.gunicorn import is_ready
from tests.fixtures.servers.ports import free_port
from tests.fixtures.waiting import until

ROOT = Path(__file__).parents[3]
# Two releases with two workers each, and the tests.
MANY_CONNECTIONS = ("-c", "max_connections=200")


@dataclass
class Gunicorn:
    """A running gunicorn. Its master process can be replaced by a second one."""

    url: str
    folder: Path
    python: str

    @property
    def pidfile(self) -> Path:
        """Return the file with the process id of the master."""
        return self.folder / "gunicorn.pid"

    @property
    def pid(self) -> int | None:
        """Return the process id of the master, or None while it is being replaced."""
        return int(self.pidfile.read_text()) if self.pidfile.exists() else None

    @property
    def log(self) -> str:
        """Return the log of all processes."""
        return (self.folder / "gunicorn.log").read_text()

    def reload(
        self, seconds: float = 60, folder: Path = ROOT
    ) -> "subprocess.CompletedProcess[str]":
        """Run the command of `make reload` in a folder."""
        command = [sys.executable, "-m", "config.reload", "--seconds", str(seconds)]
        environ = os.environ | {"GUNICORN_PIDFILE": str(self.pidfile), "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            command, cwd=folder, env=environ, capture_output=True, text=True, timeout=seconds + 60
        )


@contextmanager
def running(
    environ: dict[str, str], folder: Path, checkout: Path = ROOT, python: str = sys.executable
) -> Iterator[Gunicorn]:
    """Run gunicorn inside the block. Yield it when it is ready."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    service = Gunicorn(f"http://127.0.0.1:{port}", folder, python)
    environ = os.environ | environ | {"PORT": str(port), "GUNICORN_PIDFILE": str(service.pidfile)}
    command = [python, "-m", "gunicorn", "-c", "config/gunicorn.conf.py", "wsgi:app"]
    with open(folder / "gunicorn.log", "ab") as log:
        process = subprocess.Popen(
            command, cwd=checkout, env=environ, stdout=log, stderr=log, start_new_session=True
        )
    # An ended process without this would look like a running one to `make reload`.
    threading.Thread(target=process.wait, daemon=True).start()
    try:
        until(lambda: is_ready(service.url), 60)
        yield service
    finally:
        _end(process.pid)


def _end(group: int) -> None:
    """End all processes of a process group, and wait until they have ended."""
    try:
        os.killpg(group, signal.SIGQUIT)
    except ProcessLookupError:
        return
    until(lambda: not _exists(group), 30)


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A PostgreSQL server that only the tests of this folder use."""
    folder = tmp_path_factory.mktemp("var")
    with hold_server(folder, f"upgrade_{secrets.token_hex(4)}", MANY_CONNECTIONS) as server:
        yield server


@pytest.fixture(scope="session")
def environ(
    postgres: PostgresServer, wechat: WeChat, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The settings of the service."""
    return {
        "DATABASE_URL": postgres.url,
        "WECHAT_API_BASE_URL": wechat.url,
        "WXPASS_VAR": str(tmp_path_factory.mktemp("keys")),
        "GUNICORN_WORKERS": "2",
        "DATABASE_POOL_SIZE": "5",
    }


@pytest.fixture(scope="session")
def own_database(postgres: PostgresServer) -> str:
    """The URL of an empty database."""
    name = f"previous_{secrets.token_hex(4)}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return postgres.url_of(name)

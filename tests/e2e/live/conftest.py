"""Real gunicorn workers, and a PostgreSQL server that tests may restart.

The modules of this folder share them: one process of pytest runs them all.
"""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from flask import Flask

from config import Config
from config.development.postgres import PostgresServer, hold_server
from tests.fixtures.personas import Client, WeChat, service_of
from tests.fixtures.servers.ports import free_port
from tests.fixtures.waiting import until

ROOT = Path(__file__).parents[3]
GUNICORN = ["-m", "gunicorn", "-c", "config/gunicorn.conf.py", "tests.e2e.live.site:app"]
# Seconds after which every worker must have received a change.
INVALIDATION_SECONDS = 1.0


@dataclass
class Database:
    """A PostgreSQL server that only the tests of this folder use."""

    server: PostgresServer

    def __call__(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Run a statement outside the service, as with psql."""
        with psycopg.connect(self.server.url, autocommit=True) as connection:
            done = connection.execute(statement, values)
            return done.fetchall() if done.description else []

    def silently(self, statement: str, **values: Any) -> None:
        """Run a statement with triggers disabled, so that no notification is sent."""
        with psycopg.connect(self.server.url) as connection:
            connection.execute("SET LOCAL session_replication_role = replica")
            connection.execute(statement, values)

    def listeners(self) -> list[int]:
        """Return the PostgreSQL processes that serve the workers' listeners."""
        named = "SELECT pid FROM pg_stat_activity WHERE application_name = 'wxpass changes'"
        return [pid for (pid,) in self(named)]


@dataclass
class Worker:
    """One worker, reached through a connection that stays open."""

    url: str
    pid: int
    http: requests.Session

    def verify(self, token: str) -> int:
        """Verify a token in this worker."""
        headers = {"Authorization": f"Bearer {token}"}
        answer = self.http.get(f"{self.url}/v1/verify", headers=headers, timeout=20)
        assert answer.headers["X-Worker"] == str(self.pid), "the connection was closed"
        return answer.status_code


@dataclass
class Service:
    """A running gunicorn."""

    url: str
    process: "subprocess.Popen[bytes]"

    def workers(self, how_many: int) -> list[Worker]:
        """Connect to each worker.

        The kernel may give one idle worker every connection, so the workers found are stopped
        while another is looked for.
        """
        found: dict[int, Worker] = {}

        def reach() -> bool:
            http = requests.Session()
            try:
                with stopped(found):
                    answer = http.get(f"{self.url}/readyz", timeout=2)
            except (requests.ConnectionError, requests.Timeout):
                return False
            if answer.status_code == 200:
                pid = int(answer.headers["X-Worker"])
                found.setdefault(pid, Worker(self.url, pid, http))
            return len(found) == how_many

        until(reach)
        return list(found.values())


@contextmanager
def stopped(pids: Iterable[int]) -> Iterator[None]:
    """Stop processes inside the block, as a failing machine does. Ended ones are ignored."""
    stopped = list(pids)
    for pid in stopped:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with hold_server(tmp_path_factory.mktemp("var"), f"live_{secrets.token_hex(4)}") as server:
        yield Database(server)


@pytest.fixture(scope="session")
def live_config(config: Config, database: Database) -> Config:
    url = database.server.url.replace("postgresql://", "postgresql+psycopg://", 1)
    return replace(config, database_url=url)


@pytest.fixture(scope="session")
def live_app(live_config: Config, wechat: WeChat) -> Iterator[Flask]:
    """An instance of the service in this process, with its own empty cache."""
    with service_of(live_config) as app:
        yield app


@pytest.fixture
def client(live_app: Flask) -> Client:
    return Client(live_app)


@contextmanager
def serving(config: Config, database: Database, folder: Path, **more: str) -> Iterator[Service]:
    """Run gunicorn inside the block."""
    environ = dict(os.environ) | {"DATABASE_URL": database.server.url, "PORT": str(free_port())}
    environ |= {"WECHAT_API_BASE_URL": config.wechat_api_base_url, "GUNICORN_KEEPALIVE": "60"}
    environ |= {"GUNICORN_WORKERS": "2", "DATABASE_POOL_SIZE": "5"} | more
    with open(folder / "gunicorn.log", "wb") as log:
        command = [sys.executable, *GUNICORN]
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log)
    try:
        yield Service(f"http://127.0.0.1:{environ['PORT']}", process)
    finally:
        process.send_signal(signal.SIGQUIT)  # SIGTERM would wait for open connections
        process.wait(30)


@pytest.fixture(scope="session")
def service(
    live_app: Flask,
    live_config: Config,
    database: Database,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """A gunicorn with two workers. Each allows 20 WeChat calls in flight per app."""
    folder = tmp_path_factory.mktemp("service")
    with serving(live_config, database, folder, WECHAT_CALLS_PER_APP="20") as service:
        service.workers(2)
        yield service

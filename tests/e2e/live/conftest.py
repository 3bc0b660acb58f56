"""Real gunicorn workers, and a PostgreSQL server that tests may restart.

The modules of this folder share them: one process of pytest runs them all.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest
from flask import Flask

from config import Config
from config.development.postgres import PostgresServer, hold_server
from tests.fixtures.personas import Client, WeChat, service_of
from tests.fixtures.servers.gunicorn import Service, serving


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


@pytest.fixture(scope="session")
def service(
    live_app: Flask,
    live_config: Config,
    database: Database,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """A gunicorn with two workers. Each allows 20 WeChat calls in flight per app."""
    folder = tmp_path_factory.mktemp("service")
    settings = {"DATABASE_URL": database.server.url, "WECHAT_CALLS_PER_APP": "20"}
    with serving(live_config, folder, **settings) as service:
        service.workers(2)
        yield service

"""The service with a primary and a standby."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event
from sqlalchemy.engine import Engine

from app import create_app
from app.extensions import REPLICA, db
from app.services.database import replica as replica_state
from app.services.database.replica import Replica
from config import Config
from config.development.postgres import hold_server
from tests.e2e.replica.standby import Standby, running_standby
from tests.fixtures.operators import Script, signed_in
from tests.fixtures.personas import Client, WeChat, service_of

SQLALCHEMY = "postgresql+psycopg://"


@pytest.fixture(scope="session")
def standby(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standby]:
    name = f"replica_{secrets.token_hex(4)}"
    with (
        hold_server(tmp_path_factory.mktemp("primary"), name) as server,
        running_standby(server, tmp_path_factory.mktemp("standby"), name) as standby,
    ):
        yield standby


@pytest.fixture(scope="session")
def replica_config(config: Config, standby: Standby) -> Config:
    return replace(
        config,
        database_url=standby.primary.url.replace("postgresql://", SQLALCHEMY, 1),
        database_replica_url=standby.url.replace("postgresql://", SQLALCHEMY, 1),
        database_pool_size=5,
    )


@pytest.fixture(scope="session")
def shared_site(replica_config: Config, wechat: WeChat) -> Iterator[Flask]:
    """The service, with its tables, tenants and mini-programs on both servers."""
    with service_of(replica_config) as app:
        yield app
        dispose(app)


def dispose(app: Flask) -> None:
    """Close the connections of an instance of the service."""
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


@pytest.fixture
def site(shared_site: Flask, standby: Standby) -> Flask:
    """The service with an untroubled replica that has caught up."""
    dispose(shared_site)
    shared_site.extensions["replica"] = Replica()
    standby.catch_up()
    return shared_site


@pytest.fixture
def other_process(site: Flask, replica_config: Config) -> Iterator[Flask]:
    """A second instance of the service, with its own memory."""
    app = create_app(replica_config)
    yield app
    dispose(app)


@pytest.fixture
def client(site: Flask) -> Client:
    return Client(site)


@pytest.fixture
def operator(site: Flask, standby: Standby) -> Callable[..., Script]:
    """A function that returns a signed-in operator without recent changes."""

    def make(role: str, tenant: str | None = None) -> Script:
        script = signed_in(site, f"{secrets.token_hex(4)}@example.com", role, tenant)
        forget_changes(standby)
        return script

    return make


def forget_changes(standby: Standby) -> None:
    """Delete the audit events of operators, as if their changes were long ago."""
    for log in ("audit_events", "platform_audit_events"):
        standby.primary(f"DELETE FROM {log} WHERE actor_kind = 'operator'")
    standby.catch_up()


@contextmanager
def renamed(standby: Standby, table: str) -> Iterator[None]:
    """Make every read of a table fail inside the block, on both servers."""
    standby.primary(f"ALTER TABLE {table} RENAME TO away")
    standby.catch_up()
    try:
        yield
    finally:
        standby.primary(f"ALTER TABLE away RENAME TO {table}")
        standby.catch_up()


@pytest.fixture
def on_replica(site: Flask) -> Iterator[list[str]]:
    """The statements that the service sends to the replica from here on."""
    sent: list[str] = []

    def note(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if connection.engine.url == replica_url:
            sent.append(statement)

    with site.app_context():
        replica_url = db.engines[REPLICA].url
    event.listen(Engine, "before_cursor_execute", note)
    yield sent
    event.remove(Engine, "before_cursor_execute", note)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The events that are logged about the replica, with their reasons."""
    seen: list[tuple[str, str]] = []

    class Log:
        def warning(self, name: str, reason: str) -> None:
            seen.append((name, reason))

        def info(self, name: str) -> None:
            seen.append((name, ""))

    monkeypatch.setattr(replica_state, "log", Log())
    return seen

"""Debian's PostgreSQL with deploy/postgresql/roles.sql, and the service with the limited role."""

from collections.abc import Iterator

import pytest
from flask import Flask

from app import create_app
from app.extensions import db
from config import Config
from tests.fixtures.personas import add_tenants_and_apps
from tests.fixtures.servers.debian_postgres import (
    OWNER,
    create_roles,
    limited,
    new_debian_server,
    upgrade,
)
from tests.fixtures.servers.replication import PostgresProcess, server_folder


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresProcess]:
    """A server without the database of the service."""
    with server_folder() as folder:
        server = new_debian_server(folder, "server")
        try:
            server.create_cluster()
            yield server
        finally:
            server.remove()


@pytest.fixture(scope="module")
def migrated(server: PostgresProcess) -> PostgresProcess:
    """The server with both roles and the tables, which the owner has created."""
    create_roles(server)
    upgraded = upgrade(server, OWNER)
    assert upgraded.returncode == 0, upgraded.stderr
    return server


@pytest.fixture(scope="module")
def limited_app(migrated: PostgresProcess, config: Config) -> Iterator[Flask]:
    """The service with the role that cannot change the schema."""
    app = create_app(limited(config, migrated))
    add_tenants_and_apps(app)
    yield app
    with app.app_context():
        db.engine.dispose()

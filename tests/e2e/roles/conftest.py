"""Debian's PostgreSQL with deploy/postgresql/roles.sql, and the service with the limited role."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from app.extensions import db
from config import Config
from config.database_readers import translate
from tests.fixtures.personas import add_tenants_and_apps
from tests.fixtures.servers.debian_postgres import (
    OWNER,
    SERVICE,
    create_roles,
    new_debian_server,
    url_of,
)
from tests.fixtures.servers.replication import PostgresProcess, server_folder

ROOT = Path(__file__).parents[3]


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


def limited(config: Config, server: PostgresProcess) -> Config:
    """Return settings with the role of the service."""
    url = translate("DATABASE_URL", url_of(server, SERVICE))
    return replace(config, database_url=url, database_pool_size=5)


def upgrade(server: PostgresProcess, role: str) -> "subprocess.CompletedProcess[str]":
    """Run `flask db upgrade` with the database address of a role."""
    environ = dict(os.environ) | {"DATABASE_URL": url_of(server, role)}
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"]
    return subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=120
    )

"""Tests that need a Citus cluster. They run only if CITUS_URL has the address of a coordinator.

CITUS_URL is the address, with a superuser, of any database that has the extension and knows all
nodes. The tests create their own databases on the same nodes.
"""

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask_migrate import upgrade
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app import create_app
from app.extensions import db
from config import Config
from tests.fixtures.servers.listeners import events as events
from tests.fixtures.servers.listeners import start as start
from tests.fixtures.servers.listeners import with_addresses

CITUS_URL = os.environ.get("CITUS_URL", "")
collect_ignore_glob = [] if CITUS_URL else ["*"]
# A table whose trigger is that of the tables of users and sessions.
NOTES = (
    "CREATE TABLE notes (tenant_id int, id uuid, PRIMARY KEY (tenant_id, id))",
    "CREATE TRIGGER tell_of_change AFTER INSERT OR UPDATE OR DELETE ON notes FOR EACH ROW"
    " EXECUTE FUNCTION tell_of_change('id', '')",
    "SET citus.enable_unsafe_triggers = on",
    "SELECT create_distributed_table('notes', 'tenant_id', shard_count := 8)",
)
READ_NODES = (
    "SELECT nodename, nodeport FROM pg_dist_node WHERE noderole = 'primary' ORDER BY groupid"
)


@dataclass
class CitusDatabase:
    """A database on all nodes of the cluster. The first node is the coordinator."""

    name: str
    addresses: Sequence[tuple[str, int]]
    config: Config

    def url(self, node: int, port: int | None = None) -> str:
        """Return the address of a node, or of a relay to it on this machine."""
        given = conninfo_to_dict(CITUS_URL)
        user = f"{given.get('user', 'postgres')}"
        if given.get("password"):
            user += f":{given['password']}"
        host, real = self.addresses[node] if port is None else ("127.0.0.1", port)
        return f"postgresql://{user}@{host}:{port or real}/{self.name}"

    def __call__(self, statement: str, *values: Any, node: int = 0) -> list[Any]:
        """Run a statement on a node."""
        with psycopg.connect(self.url(node), autocommit=True) as connection:
            done = connection.execute(statement, values or None)
            return done.fetchall() if done.description else []

    def settings(self, *urls: str) -> Config:
        """Return settings with the addresses of the coordinator and of these workers."""
        return with_addresses(self.config, self.url(0), *urls)

    def tenants_of(self, node: int) -> list[int]:
        """Return tenants whose notes are on a node."""
        host, port = self.addresses[node]
        found = self(
            "SELECT tenant FROM generate_series(1, 100) AS tenant"
            " JOIN pg_dist_placement AS placement"
            " ON placement.shardid = get_shard_id_for_distribution_column('notes', tenant)"
            " JOIN pg_dist_node AS node USING (groupid)"
            " WHERE (node.nodename, node.nodeport) = (%s, %s)",
            host,
            port,
        )
        return [tenant for (tenant,) in found]


def connect(database: str, address: tuple[str, int]) -> "psycopg.Connection[Any]":
    """Return a connection to a database of a node."""
    host, port = address
    target = make_conninfo(CITUS_URL, host=host, port=port, dbname=database)
    return psycopg.connect(target, autocommit=True)


@contextmanager
def new_database(config: Config) -> Iterator[CitusDatabase]:
    """Create a migrated database on all nodes, and drop it after the block."""
    with psycopg.connect(CITUS_URL) as given:
        addresses, own = given.execute(READ_NODES).fetchall(), given.info.dbname
    name = f"wxpass_test_{secrets.token_hex(4)}"
    try:
        for address in addresses:
            with connect(own, address) as node:
                node.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            with connect(name, address) as node:
                node.execute("CREATE EXTENSION citus")
        citus = CitusDatabase(name, addresses, config)
        citus("SELECT citus_set_coordinator_host(%s, %s)", *addresses[0])
        for address in addresses[1:]:
            citus("SELECT citus_add_node(%s, %s)", *address)
        migrate(create_app(replace(citus.settings(), database_listen_url=None)))
        yield citus
    finally:
        for address in addresses:
            with connect(own, address) as node:
                drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
                node.execute(drop.format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def citus(config: Config) -> Iterator[CitusDatabase]:
    """A migrated database with a distributed table that has the trigger."""
    with new_database(config) as citus:
        with psycopg.connect(citus.url(0), autocommit=True) as coordinator:
            for statement in NOTES:
                coordinator.execute(statement)
        yield citus


def migrate(app: Flask) -> None:
    """Run the migrations, and close the connections."""
    with app.app_context():
        upgrade()
        db.engine.dispose()

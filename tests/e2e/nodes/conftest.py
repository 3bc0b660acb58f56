"""Three PostgreSQL servers in the roles of the coordinator and the workers of a Citus cluster.

They have the trigger function and the metadata tables that the service reads, but not Citus.
tests/citus uses a real cluster.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from config import Config
from tests.fixtures.servers.listeners import events as events
from tests.fixtures.servers.listeners import start as start
from tests.fixtures.servers.listeners import with_addresses
from tests.fixtures.servers.replication import (
    DATABASE,
    PostgresProcess,
    new_server,
    server_folder,
)

CATALOGUE = """
CREATE FUNCTION tell_of_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TABLE pg_dist_node (
    groupid int, nodename text, nodeport int, noderole text DEFAULT 'primary',
    isactive bool DEFAULT true, shouldhaveshards bool DEFAULT true
);
CREATE TABLE pg_dist_local_group (groupid int);
CREATE TABLE pg_dist_partition (logicalrelid regclass, partmethod "char");
CREATE TABLE pg_dist_shard (logicalrelid regclass, shardid bigint);
CREATE TABLE pg_dist_placement (shardid bigint, groupid int);
INSERT INTO pg_dist_partition VALUES ('pg_dist_shard', 'h');
INSERT INTO pg_dist_shard VALUES ('pg_dist_shard', 1);
"""


@dataclass
class Nodes:
    """The coordinator and its workers, by their group."""

    servers: Sequence[PostgresProcess]
    config: Config

    def url(self, group: int, database: str = DATABASE) -> str:
        """Return the address of a node."""
        return f"postgresql://postgres@{self.servers[group].address}/{database}"

    def settings(self, *urls: str) -> Config:
        """Return settings with the addresses of the coordinator and of these workers."""
        return with_addresses(self.config, self.url(0), *urls)

    def everywhere(self, statement: str, *values: Any) -> None:
        """Run a statement on all nodes, as Citus does for changes of its tables."""
        for server in self.servers:
            server(statement, *values)

    def reset(self) -> None:
        """Restore the tables: both workers hold shards."""
        self.everywhere("DELETE FROM pg_dist_node")
        self.everywhere("DELETE FROM pg_dist_placement")
        for group, server in enumerate(self.servers):
            self.everywhere(
                "INSERT INTO pg_dist_node VALUES (%s, %s, 5432, 'primary', true, %s)",
                *(group, f"node{group}.internal", group > 0),
            )
            server("UPDATE pg_dist_local_group SET groupid = %s", group)


@pytest.fixture(scope="module")
def servers() -> Iterator[Sequence[PostgresProcess]]:
    with server_folder() as folder:
        servers = [new_server(folder, name) for name in ("coordinator", "first", "second")]
        try:
            for server in servers:
                server.create()
                server(CATALOGUE)
                server("INSERT INTO pg_dist_local_group VALUES (0)")
            yield servers
        finally:
            for server in servers:
                server.remove()


@pytest.fixture
def nodes(servers: Sequence[PostgresProcess], config: Config) -> Nodes:
    """The cluster with two workers that hold shards."""
    nodes = Nodes(servers, config)
    nodes.reset()
    return nodes

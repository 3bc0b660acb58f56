"""The nodes of a Citus cluster.

Changes of tenant tables are made on the worker that holds the shard, and its triggers notify only
the listeners of that worker.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from psycopg import Cursor

COORDINATOR = 0
# PostgreSQL without Citus has no such table, so a statement that names it would fail.
HAS_CITUS = "to_regclass('pg_dist_node') IS NOT NULL"
# Each node has a copy of these tables. If a table is distributed, a worker can notify while it
# holds shards or may receive them.
#
# A transaction that stays prepared on a node is usually committed on the coordinator, which has
# sent its notifications. The node then returns outdated rows of reference tables.
READ_CLUSTER = """
SELECT own.groupid,
    EXISTS (
        SELECT FROM pg_prepared_xacts
        WHERE database = current_database() AND gid LIKE 'citus\\_%'
            AND prepared < clock_timestamp() - interval '5 seconds'
    ),
    current_database(), node.groupid, node.nodename, node.nodeport,
    node.isactive AND EXISTS (
        SELECT FROM pg_dist_partition AS distributed
        WHERE partmethod = 'h' AND (node.shouldhaveshards OR EXISTS (
            SELECT FROM pg_dist_shard JOIN pg_dist_placement AS placement USING (shardid)
            WHERE logicalrelid = distributed.logicalrelid AND placement.groupid = node.groupid
        ))
    )
FROM pg_dist_local_group AS own
LEFT JOIN pg_dist_node AS node
    ON node.noderole = 'primary' AND node.groupid <> 0
"""


class Connection(Protocol):
    """A connection of psycopg."""

    def execute(self, query: str, params: Mapping[str, object] | None = None, /) -> Cursor[Any]: ...


class Node(NamedTuple):
    """A Citus worker: its group, its address in the cluster, and its database."""

    group: int
    host: str
    port: int
    database: str

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class CitusCluster:
    """The metadata of a cluster on one of its nodes."""

    group: int
    has_unfinished_transactions: bool
    # The primary workers, and whether they can notify.
    workers: Mapping[Node, bool]

    @property
    def notifying(self) -> frozenset[Node]:
        """Return the workers that can notify."""
        return frozenset(node for node, notifies in self.workers.items() if notifies)

    @property
    def own_node(self) -> Node | None:
        """Return the worker that has these metadata, or None if it is the coordinator."""
        return next((node for node in self.workers if node.group == self.group), None)


def has_citus(connection: Connection) -> bool:
    """Return whether the database has the extension."""
    return connection.execute(f"SELECT {HAS_CITUS}").fetchone() == (True,)


def read_cluster(connection: Connection) -> CitusCluster:
    """Return the cluster of a database that has the extension. Takes one statement."""
    rows = connection.execute(READ_CLUSTER).fetchall()
    group, has_unfinished_transactions, database, *_ = rows[0]
    workers = {
        Node(number, host, port, database): notifies
        for *_, number, host, port, notifies in rows
        if number is not None
    }
    return CitusCluster(group, has_unfinished_transactions, workers)

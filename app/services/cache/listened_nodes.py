"""The database nodes that the listeners of a process are connected to.

PostgreSQL without Citus is one node. In a Citus cluster, the coordinator and each worker notify, so
DATABASE_LISTEN_URL must have the addresses of all of them.
"""

import time
from collections.abc import Hashable

import structlog

from app.services.cache.invalidation import FIRST_NODE, InvalidationLog
from app.services.database.citus_nodes import COORDINATOR, CitusCluster, Node

log = structlog.get_logger()

# The time for the listeners to connect before missing addresses are reported, and the interval of
# these reports.
CONNECTING_SECONDS = 10.0
REPORT_SECONDS = 60.0


class ListenerLost(Exception):
    """Notifications of changes cannot arrive.

    The connection does not listen, the triggers are missing, or the server is not the primary.
    """


class WorkerUnknown(ListenerLost):
    """An address leads to no Citus worker, or to another worker than before."""


class CoordinatorUnknown(ListenerLost):
    """DATABASE_URL leads to a Citus worker, or has no Citus although there are other addresses."""


class TransactionUnfinished(ListenerLost):
    """A worker has not finished a transaction that is committed on the coordinator.

    Until then, queries may read outdated rows of the reference tables on this worker.
    """


class ListenedNodes:
    """The node that each address leads to, and the nodes of the cluster without an address.

    The first address leads to the database of DATABASE_URL. Its connection reads which nodes can
    notify.
    """

    def __init__(self, changes: InvalidationLog, addresses: int = 1) -> None:
        self.changes = changes
        self._addresses = addresses
        self._connected: dict[int, Hashable] = {}
        # The last known worker of each address, even if it cannot be reached now.
        self._known: dict[int, Node] = {}
        self._began_at = time.monotonic()
        self._reported: tuple[frozenset[Node], float] = (frozenset(), 0.0)

    def check(self, number: int, cluster: CitusCluster | None) -> None:
        """Identify the node that an address leads to. Raise ListenerLost if it is the wrong one.

        `cluster` is what the connection has read, or None for PostgreSQL without Citus.
        """
        if number == 0:
            self._check_first(cluster)
            self._connected[0] = FIRST_NODE
        else:
            self._connected[number] = self._known[number] = self._find_worker(number, cluster)

    def mark_fresh(self, number: int, asked_at: float) -> None:
        """Mark the notifications of a checked address as complete up to `asked_at`."""
        if self.changes.mark_fresh(asked_at, self._connected[number]):
            log.info("caches_on")

    def lose(self, number: int) -> None:
        """Invalidate all values after the loss of the connection to an address."""
        self.changes.lose(self._connected.pop(number, None))

    def report_loss(self, address: str, error: Exception) -> None:
        """Log that the listener of an address has failed, unless the caches are still on."""
        which = {"address": address} if self._addresses > 1 else {}
        if not self.changes.is_fresh:
            log.warning("caches_off", error=type(error).__name__, **which)

    def _check_first(self, cluster: CitusCluster | None) -> None:
        if cluster is None:
            if self._addresses > 1:
                raise CoordinatorUnknown
            self.changes.require(frozenset({FIRST_NODE}))
            return
        if cluster.group != COORDINATOR:
            raise CoordinatorUnknown
        self.changes.require(frozenset({FIRST_NODE, *cluster.notifying}))
        self._report_missing(cluster.notifying)

    def _find_worker(self, number: int, cluster: CitusCluster | None) -> Node:
        worker = None if cluster is None else cluster.own_node
        if cluster is None or worker is None:
            raise WorkerUnknown
        if self._connected.get(number, worker) != worker:
            raise WorkerUnknown
        if cluster.has_unfinished_transactions:
            raise TransactionUnfinished
        return worker

    def _report_missing(self, notifying: frozenset[Node]) -> None:
        """Log the nodes without an address once a minute, and when they change."""
        moment, missing = time.monotonic(), notifying - frozenset(self._known.values())
        unknown = self._addresses - 1 - len(self._known)
        is_connecting = unknown > 0 and moment < self._began_at + CONNECTING_SECONDS
        if len(missing) <= unknown or is_connecting:
            return
        reported, reported_at = self._reported
        if missing != reported or moment > reported_at + REPORT_SECONDS:
            self._reported = missing, moment
            log.warning("citus_nodes_unlistened", nodes=sorted(map(str, missing)))

"""Listeners of several database nodes: the caches are on only while all of them answer."""

import signal
import time
from dataclasses import replace
from uuid import uuid4

import pytest

from app import create_app
from app.connections import DirectAddress
from app.services.cache.invalidation import FRESH_SECONDS
from config import Config
from config.database_readers import translate
from tests.e2e.nodes.conftest import Nodes
from tests.fixtures.servers.listeners import Events, Start, arrives, stays_off
from tests.fixtures.servers.replication import DATABASE, PostgresProcess
from tests.fixtures.waiting import until

BACKENDS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'wxpass changes'"


def change(server: PostgresProcess) -> bytes:
    """Notify a change on a server. Return its subject."""
    subject = uuid4()
    server("SELECT pg_notify('wxpass_changes', %s)", str(subject))
    return subject.bytes


def test_changes_of_all_nodes_arrive_in_one_log(nodes: Nodes, start: Start) -> None:
    changes = start(nodes.settings(nodes.url(1), nodes.url(2)))
    until(lambda: changes.is_fresh)
    for server in nodes.servers:
        subject, read_at = change(server), time.monotonic() - 1
        assert arrives(changes, subject)
        assert not changes.none_since(read_at, subject)
        assert len(server(BACKENDS)) == 1


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_loss_of_one_node_turns_the_caches_off(
    lost: int, nodes: Nodes, start: Start, events: Events
) -> None:
    changes = start(nodes.settings(nodes.url(1), nodes.url(2)))
    until(lambda: changes.is_fresh)
    until(lambda: events.names == ["caches_on"])
    read_at = time.monotonic()
    nodes.servers[lost].restart("immediate")
    until(lambda: changes.is_fresh and events.names[1:] and events.names[-1] == "caches_on")
    assert not changes.none_since(read_at, "anything")
    assert changes.none_since(time.monotonic(), "anything")
    assert {(one["event"], one.get("address")) for one in events.all} == {
        ("caches_off", nodes.servers[lost].address),
        ("caches_on", None),
    }


def test_frozen_worker_turns_the_caches_off_and_delays_no_other_listener(
    nodes: Nodes, start: Start
) -> None:
    changes = start(nodes.settings(nodes.url(1), nodes.url(2)))
    until(lambda: changes.is_fresh)
    _, frozen, running = nodes.servers
    frozen.send(signal.SIGSTOP)
    frozen_at = time.monotonic()
    try:
        until(lambda: not changes.is_fresh)
        assert time.monotonic() - frozen_at < FRESH_SECONDS + 0.3
        while time.monotonic() < frozen_at + 3:
            assert arrives(changes, change(running), seconds=0.5)
            assert not changes.is_fresh
    finally:
        frozen.send(signal.SIGCONT)
    until(lambda: changes.is_fresh)


def test_worker_without_an_address_keeps_the_caches_off_and_is_named(
    nodes: Nodes, start: Start, events: Events
) -> None:
    changes = start(nodes.settings(nodes.url(1)))
    until(lambda: events.all)
    assert stays_off(changes)
    assert events.all == [
        {
            "event": "citus_nodes_unlistened",
            "level": "warning",
            "nodes": ["node2.internal:5432"],
        }
    ]


def test_worker_that_is_added_later_turns_the_caches_off(
    nodes: Nodes, start: Start, events: Events
) -> None:
    nodes.everywhere("UPDATE pg_dist_node SET shouldhaveshards = false WHERE groupid = 2")
    changes = start(nodes.settings(nodes.url(1)))
    until(lambda: changes.is_fresh)
    read_at = time.monotonic()
    nodes.everywhere("INSERT INTO pg_dist_placement VALUES (1, 2)")
    until(lambda: not changes.is_fresh)
    assert stays_off(changes)
    nodes.everywhere("DELETE FROM pg_dist_placement")
    until(lambda: changes.is_fresh)
    assert not changes.none_since(read_at, "anything")
    assert events.names == ["caches_on", "citus_nodes_unlistened", "caches_on"]


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM pg_dist_partition",
        "UPDATE pg_dist_node SET isactive = false WHERE groupid = 2",
        "UPDATE pg_dist_node SET noderole = 'secondary' WHERE groupid = 2",
    ],
)
def test_worker_that_cannot_notify_needs_no_address(
    change: str, nodes: Nodes, start: Start
) -> None:
    """No table is distributed yet, or the node is disabled or a standby."""
    nodes.everywhere(change)
    try:
        changes = start(nodes.settings(nodes.url(1)))
        until(lambda: changes.is_fresh)
    finally:
        if "pg_dist_partition" in change:
            nodes.everywhere("INSERT INTO pg_dist_partition VALUES ('pg_dist_shard', 'h')")


def test_worker_that_is_lost_and_holds_no_shards_leaves_the_caches_on(
    nodes: Nodes, start: Start, events: Events
) -> None:
    changes = start(nodes.settings(nodes.url(1), nodes.url(2)))
    until(lambda: changes.is_fresh)
    nodes.everywhere("UPDATE pg_dist_node SET shouldhaveshards = false WHERE groupid = 2")
    until(lambda: len(changes._required) == 2)
    nodes.servers[2].restart("immediate")
    assert changes.is_fresh
    assert events.names == ["caches_on"]


def test_worker_under_another_address_in_the_cluster_is_not_listened_to(
    nodes: Nodes, start: Start
) -> None:
    """A worker of another cluster may have the same group."""
    nodes.servers[2]("UPDATE pg_dist_node SET nodename = 'other.internal' WHERE groupid = 2")
    changes = start(nodes.settings(nodes.url(1), nodes.url(2)))
    assert stays_off(changes)


def test_each_node_has_its_own_primary(nodes: Nodes) -> None:
    """Each worker has its own system identifier and its own failover."""
    app = create_app(nodes.settings(nodes.url(1), nodes.url(2)))
    addresses: tuple[DirectAddress, ...] = app.extensions["direct_addresses"]
    connections = [address.connect() for address in addresses for _ in range(2)]
    assert all(connection.is_usable() for connection in connections)
    connections[2].reject_server()
    assert [one.is_usable() for one in connections] == [True, True, False, False, True, True]
    for connection in connections:
        connection.close()


@pytest.mark.parametrize("worker", ["first", "coordinator"])
def test_addresses_in_the_wrong_order_keep_the_caches_off(
    worker: str, nodes: Nodes, start: Start
) -> None:
    url = nodes.url(1 if worker == "first" else 0)
    settings = nodes.settings(url, nodes.url(2))
    if worker == "first":
        urls = " ".join([settings.listen_urls[1], settings.listen_urls[0], settings.listen_urls[2]])
        database = translate("DATABASE_URL", url)
        settings = replace(settings, database_url=database, database_listen_url=urls)
    assert stays_off(start(settings))


def test_further_addresses_without_citus_keep_the_caches_off(
    config: Config, nodes: Nodes, start: Start
) -> None:
    """Each is a database with the triggers."""
    tables = ("pg_dist_node", "pg_dist_local_group")
    for table in tables:
        nodes.everywhere(f"ALTER TABLE {table} RENAME TO away_{table}")
    try:
        assert stays_off(start(nodes.settings(nodes.url(1), nodes.url(2))))
        alone = start(nodes.settings())
        until(lambda: alone.is_fresh)
    finally:
        for table in tables:
            nodes.everywhere(f"ALTER TABLE away_{table} RENAME TO {table}")


def test_another_database_of_a_worker_is_not_listened_to(nodes: Nodes, start: Start) -> None:
    """Several databases of the same servers may be clusters."""
    worker = nodes.servers[2]
    worker(f"CREATE DATABASE other TEMPLATE {DATABASE}", database="postgres")
    try:
        changes = start(nodes.settings(nodes.url(1), nodes.url(2, "other")))
        assert stays_off(changes)
    finally:
        worker("DROP DATABASE other WITH (FORCE)", database="postgres")

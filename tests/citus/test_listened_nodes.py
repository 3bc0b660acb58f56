"""Notifications of distributed tables come from the worker that holds the shard."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

from app import create_app
from app.boot import BootRefused, check_database
from app.services.cache.invalidation import FRESH_SECONDS
from tests.citus.conftest import CitusDatabase
from tests.fixtures.servers.listeners import Events, Start, arrives, stays_off
from tests.fixtures.servers.ports import free_port
from tests.fixtures.waiting import until

# Node 0 is the coordinator.
WORKERS = (1, 2)


@contextmanager
def relay_to(citus: CitusDatabase, node: int) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """Run a relay to a node. Yield its process and the address of the database through it."""
    port = free_port()
    target = citus.addresses[node][1]
    relay = subprocess.Popen([sys.executable, "-m", "tests.ha.links", f"{port}:{target}"])
    try:
        yield relay, citus.url(node, port)
    finally:
        relay.send_signal(signal.SIGCONT)
        relay.kill()
        relay.wait()


def change(citus: CitusDatabase, node: int) -> bytes:
    """Insert a row that is stored on a worker. Return the subject of its notification."""
    subject = uuid4()
    citus("INSERT INTO notes VALUES (%s, %s)", citus.tenants_of(node)[0], subject)
    return subject.bytes


def test_changes_on_every_worker_arrive(citus: CitusDatabase, start: Start) -> None:
    app_settings = citus.settings(*map(citus.url, WORKERS))
    check_database(create_app(app_settings))
    changes = start(app_settings)
    until(lambda: changes.is_fresh)
    for node in WORKERS:
        read_at, subject = time.monotonic(), change(citus, node)
        assert arrives(changes, subject)
        assert not changes.none_since(read_at, subject)


def test_caches_stay_off_without_the_address_of_a_worker(
    citus: CitusDatabase, start: Start, events: Events
) -> None:
    changes = start(citus.settings(citus.url(1)))
    until(lambda: events.all)
    assert stays_off(changes)
    host, port = citus.addresses[2]
    assert events.all[0]["event"] == "citus_nodes_unlistened"
    assert events.all[0]["nodes"] == [f"{host}:{port}"]


def test_worker_that_begins_to_hold_shards_turns_the_caches_off(
    citus: CitusDatabase, start: Start
) -> None:
    property_of = "SELECT citus_set_node_property(%s, %s, 'shouldhaveshards', %s)"
    citus(property_of, *citus.addresses[2], False)
    citus("SELECT citus_drain_node(%s, %s, 'block_writes')", *citus.addresses[2])
    try:
        changes = start(citus.settings(citus.url(1)))
        until(lambda: changes.is_fresh)
    finally:
        citus(property_of, *citus.addresses[2], True)
    until(lambda: not changes.is_fresh, seconds=FRESH_SECONDS)
    citus("SELECT rebalance_table_shards(shard_transfer_mode := 'block_writes')")
    assert not changes.is_fresh
    assert citus.tenants_of(2)


def test_frozen_worker_turns_the_caches_off_and_delays_no_other(
    citus: CitusDatabase, start: Start
) -> None:
    with relay_to(citus, 1) as (relay, url):
        changes = start(citus.settings(url, citus.url(2)))
        until(lambda: changes.is_fresh)
        relay.send_signal(signal.SIGSTOP)
        frozen_at = time.monotonic()
        until(lambda: not changes.is_fresh)
        assert time.monotonic() - frozen_at < FRESH_SECONDS + 0.3
        while time.monotonic() < frozen_at + 3:
            assert arrives(changes, change(citus, 2))
            assert not changes.is_fresh
        read_at, missed = time.monotonic(), change(citus, 1)
        relay.send_signal(signal.SIGCONT)
        until(lambda: changes.is_fresh)
        assert not changes.none_since(read_at, missed)


def test_lost_worker_turns_the_caches_off_until_it_is_back(
    citus: CitusDatabase, start: Start
) -> None:
    with relay_to(citus, 1) as (relay, url):
        changes = start(citus.settings(url, citus.url(2)))
        until(lambda: changes.is_fresh)
        read_at = time.monotonic()
        relay.kill()
        until(lambda: not changes.is_fresh, seconds=FRESH_SECONDS)
        assert stays_off(changes)
    assert not changes.none_since(read_at, "anything")


def test_unfinished_transaction_of_citus_keeps_the_caches_off(
    citus: CitusDatabase, start: Start
) -> None:
    """A worker that was lost during a commit returns outdated rows of reference tables."""
    changes = start(citus.settings(*map(citus.url, WORKERS)))
    until(lambda: changes.is_fresh)
    name = "citus_0_1_1_1"
    citus(f"BEGIN; CREATE TABLE left_over (a int); PREPARE TRANSACTION '{name}'", node=1)
    try:
        until(lambda: not changes.is_fresh, seconds=8)
        assert stays_off(changes)
    finally:
        citus(f"ROLLBACK PREPARED '{name}'", node=1)
    until(lambda: changes.is_fresh)


def test_coordinator_as_a_further_address_is_refused(citus: CitusDatabase) -> None:
    with pytest.raises(BootRefused, match="Address 3"):
        check_database(create_app(citus.settings(citus.url(1), citus.url(0))))

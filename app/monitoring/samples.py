"""The state of this process, read once per second: pools, queues, caches and memory."""

import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from flask import Flask
from sqlalchemy import Pool

from app.connections import WaitingPool
from app.extensions import db
from app.metrics.definitions import (
    CACHE_LOOKUPS,
    CACHES_ON,
    DATABASE_CONNECTIONS,
    DATABASE_POOL_SIZE,
    DATABASE_POOL_WAITING,
    PASSWORD_QUEUE_WAITING,
    WECHAT_CIRCUIT_OPEN,
    WECHAT_IN_FLIGHT,
    WORKER_MEMORY,
    WORKERS,
)
from app.metrics.recording import count
from app.metrics.store import Labels, Store
from app.services.apps.call_limits import CallLimits
from app.services.cache.registry import Caches
from app.services.passwords.hashing_queue import HashingQueue, Lane

# The second number is the resident memory in pages. Only Linux has the file.
MEMORY = Path("/proc/self/statm")


class Sampler:
    """Reads the state of this process into gauges."""

    def __init__(self, app: Flask, store: Store) -> None:
        self._caches: Caches = app.extensions["caches"]
        self._limits: CallLimits = app.extensions["call_limits"]
        self._queue: HashingQueue = app.extensions["hashing_queue"]
        self._store = store
        self._counted: Mapping[tuple[str, str], int] = {}

    def sample(self) -> None:
        """Set all gauges. Needs an app context."""
        self._store.set(WORKERS, {(): 1.0})
        if MEMORY.exists():
            pages = int(MEMORY.read_text().split()[1])
            self._store.set(WORKER_MEMORY, {(): float(pages * mmap.PAGESIZE)})
        self._sample_pools()
        self._sample_calls()
        self._sample_caches()
        waiting = {(lane.value,): float(self._queue.waiting(lane)) for lane in Lane}
        self._store.set(PASSWORD_QUEUE_WAITING, waiting)

    def _sample_pools(self) -> None:
        pools = [_waiting(engine.pool) for engine in db.engines.values()]
        connections: dict[Labels, float] = {}
        for pool in pools:
            connections[pool.name, "in_use"] = float(pool.checkedout())
            connections[pool.name, "idle"] = float(pool.checkedin())
        self._store.set(DATABASE_CONNECTIONS, connections)
        self._store.set(DATABASE_POOL_SIZE, {(pool.name,): float(pool.size()) for pool in pools})
        waiting = {(pool.name,): float(pool.waiting()) for pool in pools}
        self._store.set(DATABASE_POOL_WAITING, waiting)

    def _sample_calls(self) -> None:
        states = self._limits.busy_apps()
        in_flight = {(state.appid,): float(state.in_flight) for state in states}
        self._store.set(WECHAT_IN_FLIGHT, in_flight)
        is_open = {(state.appid,): 1.0 for state in states if state.is_open}
        self._store.set(WECHAT_CIRCUIT_OPEN, is_open)

    def _sample_caches(self) -> None:
        """Add the lookups since the last sample. Caches start at zero after a fork."""
        if not self._caches.has_begun:
            return
        self._store.set(CACHES_ON, {(): float(self._caches.changes.is_fresh)})
        found = self._caches.lookups()
        for key, lookups in found.items():
            earlier = self._counted.get(key, 0)
            new = lookups - earlier if lookups >= earlier else lookups
            if new:
                count(CACHE_LOOKUPS, *key, by=new)
        self._counted = found


def _waiting(pool: Pool) -> WaitingPool:
    return cast(WaitingPool, pool)

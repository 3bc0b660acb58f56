"""Caches of values from the database, invalidated by notifications (docs/decisions/0019)."""

import time
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar, cast

from app.services.runtime.bounded import keep_latest

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

# How long cached values are valid after the last answered query of the listener.
FRESH_SECONDS = 0.9
# The longest time that a cached value is valid, and that a change must be kept.
REMEMBERED_SECONDS = 600.0
# After more changes than this, all cached values are invalidated.
MOST_CHANGES = 50_000
EVERYTHING = "*"
# The database node of DATABASE_URL. With Citus, this is the coordinator.
FIRST_NODE = "first"


class InvalidationLog:
    """The changes that PostgreSQL has notified, and the time until which the log is complete.

    With Citus, several nodes notify. The log is complete up to the earliest of their times.

    All times are `time.monotonic` of this process, so that changes of the system clock and clocks
    of other machines cannot keep a value valid. One thread per node writes, all threads read. Only
    writers take the lock.
    """

    def __init__(self) -> None:
        self._fresh_until = self._listening_since = 0.0
        self._writing = Lock()
        self._required = frozenset[Hashable]((FIRST_NODE,))
        # The time until which the notifications of each node are complete.
        self._complete_until: dict[Hashable, float] = {}
        self._is_lost = True
        # The time of the last change of each subject.
        self._moments: dict[Hashable, float] = {}
        # Called for each change. It deletes the values of erased users from memory.
        self.forget: Callable[[Hashable], None] = lambda about: None

    @property
    def is_fresh(self) -> bool:
        """Return whether the log is complete, so that cached values may be used."""
        return time.monotonic() < self._fresh_until

    def begin(self) -> None:
        """Mark the start of listening to a node. Values that were read earlier are invalid."""
        with self._writing:
            self._listening_since = time.monotonic()

    def mark_fresh(self, asked_at: float, node: Hashable = FIRST_NODE) -> bool:
        """Mark the notifications of a node as complete up to `asked_at`.

        `asked_at` is the time at which the listener sent a query that has been answered. Return
        whether values may be cached again, for the first time after a loss.
        """
        with self._writing:
            self._complete_until[node] = asked_at + FRESH_SECONDS
            if not self._required <= self._complete_until.keys():
                return False
            self._fresh_until = min(self._complete_until[one] for one in self._required)
            was_lost, self._is_lost = self._is_lost, False
            return was_lost

    def require(self, nodes: frozenset[Hashable]) -> None:
        """Set the nodes that can notify.

        A new node invalidates all values, because its earlier notifications were missed.
        """
        with self._writing:
            has_grown = not nodes <= self._required
            self._required = nodes
            if has_grown:
                self._invalidate(time.monotonic())
        if has_grown:
            self.forget(EVERYTHING)

    def lose(self, node: Hashable = FIRST_NODE) -> None:
        """Invalidate and delete all values after the loss of the connection to a node.

        Values must be deleted because no notification will arrive for users who are erased later.
        The loss of a node that cannot notify has no effect.
        """
        with self._writing:
            self._complete_until.pop(node, None)
            is_required = node in self._required
            if is_required:
                self._invalidate(self._listening_since)
        if is_required:
            self.forget(EVERYTHING)

    def _invalidate(self, moment: float) -> None:
        """Invalidate all values until the log is fresh, and those read before `moment` forever."""
        self._fresh_until, self._listening_since, self._is_lost = 0.0, moment, True

    def note(self, about: Hashable) -> None:
        """Record a change of a subject, or of EVERYTHING."""
        with self._writing:
            moment = time.monotonic()
            self._moments[about] = moment
            if about == EVERYTHING or len(self._moments) > MOST_CHANGES:
                # In this order: a concurrent reader checks them in the opposite order.
                self._listening_since = moment
                self._moments = {}
        self.forget(about)

    def none_since(self, read_at: float, *subjects: Hashable) -> bool:
        """Return whether the log is complete and no subject has changed since `read_at`.

        `read_at` is the time before the database was queried, because a row can change before the
        result of the query arrives.
        """
        moments, moment = self._moments, time.monotonic()
        if moment >= self._fresh_until or moment - read_at > REMEMBERED_SECONDS:
            return False
        if read_at <= self._listening_since:
            return False
        return not moments or all(moments.get(one, 0.0) < read_at for one in subjects)


class Cache(Generic[K, V]):
    """Cached values with their subjects: the rows whose change makes a value invalid.

    Above `most` values, the oldest are deleted.
    """

    def __init__(self, changes: InvalidationLog, most: int) -> None:
        self._changes = changes
        self._most = most
        self._kept: dict[K, tuple[float, tuple[Hashable, ...], V]] = {}
        self.hits = self.misses = 0

    def find(self, key: K) -> V | None:
        """Return a value, or None if it is missing or invalid."""
        kept = self._kept.get(key)
        if kept is not None:
            read_at, subjects, value = kept
            if self._changes.none_since(read_at, *subjects):
                self.hits += 1
                return value
        self.misses += 1
        return None

    def drop(self, about: Hashable) -> None:
        """Delete the value with the key `about`, or all values for EVERYTHING.

        Invalid values are never returned, but the values of erased users must leave the memory.
        """
        self._kept.pop(cast(K, about), None)
        if about == EVERYTHING:
            self._kept.clear()

    def keep(self, key: K, value: V, read_at: float, *subjects: Hashable) -> None:
        """Store a value that was queried at `read_at`, unless a subject has changed since.

        An invalid value would never be returned, but it could belong to an erased user.
        """
        if self._changes.none_since(read_at, *subjects):
            keep_latest(self._kept, key, (read_at, subjects, value), self._most)

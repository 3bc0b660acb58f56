"""Caches of values from the database, invalidated by notifications (docs/decisions/0019)."""

import time
from collections.abc import Callable, Hashable
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


class InvalidationLog:
    """The changes that PostgreSQL has notified, and the time until which the log is complete.

    All times are `time.monotonic` of this process, so that changes of the system clock and clocks
    of other machines cannot keep a value valid. One thread writes, all threads read.
    """

    def __init__(self) -> None:
        self._fresh_until = self._listening_since = 0.0
        # The time of the last change of each subject.
        self._moments: dict[Hashable, float] = {}
        # Called for each change. It deletes the values of erased users from memory.
        self.forget: Callable[[Hashable], None] = lambda about: None

    @property
    def is_fresh(self) -> bool:
        """Return whether the log is complete, so that cached values may be used."""
        return time.monotonic() < self._fresh_until

    def begin(self) -> None:
        """Mark the start of listening. Values that were read earlier are invalid."""
        self._listening_since = time.monotonic()

    def mark_fresh(self, asked_at: float) -> None:
        """Mark the log as complete up to `asked_at`.

        `asked_at` is the time at which the listener sent a query that has been answered.
        """
        self._fresh_until = asked_at + FRESH_SECONDS

    def lose(self) -> None:
        """Invalidate and delete all values after the loss of the listener's connection.

        Values must be deleted because no notification will arrive for users who are erased later.
        """
        self._fresh_until = 0.0
        self.forget(EVERYTHING)

    def note(self, about: Hashable) -> None:
        """Record a change of a subject, or of EVERYTHING."""
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

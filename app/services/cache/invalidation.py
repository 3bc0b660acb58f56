"""Caches of values from the database, invalid once a value changes (docs/decisions/0019)."""

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar, cast

from app.services.runtime.bounded import keep_latest

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

# How long values are valid after the listener's last query that was answered.
FRESH_SECONDS = 0.9
# The longest time that a value, and a change, is kept.
REMEMBERED_SECONDS = 600.0
# With more changes than this, all values are invalid. Most of them are too old by then.
MOST_CHANGES = 50_000
EVERYTHING = "*"


class InvalidationLog:
    """The changes that PostgreSQL has notified, and until when the log is complete.

    All times are `time.monotonic` of this process, so that no other clock, and no clock that is
    set, keeps a value valid. One thread writes, all threads read.
    """

    def __init__(self) -> None:
        self._fresh_until = self._heard_since = 0.0
        # The time of the last change of each subject.
        self._moments: dict[Hashable, float] = {}
        # Called for each change, to delete values of erased users from memory.
        self.forget: Callable[[Hashable], None] = lambda about: None

    @property
    def is_fresh(self) -> bool:
        """Return whether the log is complete up to now."""
        return time.monotonic() < self._fresh_until

    def begin(self) -> None:
        """Start accepting values: the listener listens. Values read before are invalid."""
        self._heard_since = time.monotonic()

    def mark_fresh(self, asked_at: float) -> None:
        """Mark the log as complete up to a time: the listener's connection has responded."""
        self._fresh_until = asked_at + FRESH_SECONDS

    def lose(self) -> None:
        """Invalidate everything: the listener's connection is lost.

        No notification arrives for people erased later: their profiles must not stay in memory.
        """
        self._fresh_until = 0.0
        self.forget(EVERYTHING)

    def note(self, about: Hashable) -> None:
        """Record a change of a subject, or of EVERYTHING."""
        moment = time.monotonic()
        self._moments[about] = moment
        if about == EVERYTHING or len(self._moments) > MOST_CHANGES:
            # In this order: a concurrent reader checks them in the opposite order.
            self._heard_since = moment
            self._moments = {}
        self.forget(about)

    def none_since(self, read_at: float, *subjects: Hashable) -> bool:
        """Return whether no subject has changed since `read_at`.

        `read_at` is the time before the database was queried: a row can change while its response
        is on the way.
        """
        moments, moment = self._moments, time.monotonic()
        if moment >= self._fresh_until or moment - read_at > REMEMBERED_SECONDS:
            return False
        if read_at <= self._heard_since:
            return False
        return not moments or all(moments.get(one, 0.0) < read_at for one in subjects)


class Cache(Generic[K, V]):
    """Values with their subjects. Above `most` values, the oldest are deleted."""

    def __init__(self, changes: InvalidationLog, most: int) -> None:
        self._changes = changes
        self._most = most
        self._kept: dict[K, tuple[float, tuple[Hashable, ...], V]] = {}

    def find(self, key: K) -> V | None:
        """Return a value, or None if it is missing or invalid."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        read_at, subjects, value = kept
        return value if self._changes.none_since(read_at, *subjects) else None

    def drop(self, about: Hashable) -> None:
        """Delete the values about a subject that has changed.

        They are invalid already; deleting them removes erased users from memory.
        """
        self._kept.pop(cast(K, about), None)
        if about == EVERYTHING:
            self._kept.clear()

    def keep(self, key: K, value: V, read_at: float, *subjects: Hashable) -> None:
        """Store a value that was queried at `read_at`, unless a subject has changed since.

        A changed value would be invalid, but it could belong to an erased user.
        """
        if self._changes.none_since(read_at, *subjects):
            keep_latest(self._kept, key, (read_at, subjects, value), self._most)

"""Remembering what was read from the database until it changes (docs/decisions/0019)."""

import time
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar, cast

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

# So long silence is believed after a question to the listener's connection that was answered.
FRESH_SECONDS = 0.9
# Nothing is remembered for longer, so no change need be.
REMEMBERED_SECONDS = 600.0
# When so many have changed, everything has: by then most of what was read is too old, anyway.
MOST_CHANGES = 50_000
EVERYTHING = "*"


class InvalidationLog:
    """Notifications from Postgres, and until when their absence means that nothing has changed.

    All times are this process's `time.monotonic`, so that neither another machine's clock nor a
    clock that is set keeps a value longer. One thread writes, all threads read.
    """

    def __init__(self) -> None:
        self._fresh_until = self._heard_since = 0.0
        # When each thing was last told of.
        self._moments: dict[Hashable, float] = {}
        # Told of each change, too: it may have more to forget than to disbelieve.
        self.forget: Callable[[Hashable], None] = lambda about: None

    @property
    def is_fresh(self) -> bool:
        """Return whether what changes now will be heard of in time."""
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
        """Return whether what was read about these subjects is still so.

        `read_at` is from before the database was asked: it may have changed since the answer
        was made up.
        """
        moments, moment = self._moments, time.monotonic()
        if moment >= self._fresh_until or moment - read_at > REMEMBERED_SECONDS:
            return False
        if read_at <= self._heard_since:
            return False
        return not moments or all(moments.get(one, 0.0) < read_at for one in subjects)


class Cache(Generic[K, V]):
    """Values, each with what it is about; of more than `most`, the oldest go."""

    def __init__(self, changes: InvalidationLog, most: int) -> None:
        self._changes = changes
        self._most = most
        self._kept: dict[K, tuple[float, tuple[Hashable, ...], V]] = {}

    def find(self, key: K) -> V | None:
        """Return what is remembered, if it is still so."""
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
        """Remember what the database was asked for at `read_at`, unless it may have changed since.

        What has changed would not be believed; but it may be of a person who was erased.
        """
        if self._changes.none_since(read_at, *subjects):
            keep_latest(self._kept, key, (read_at, subjects, value), self._most)


def keep_latest(kept: dict[K, Any], key: K, value: Any, most: int) -> None:
    """Put a value last in a dictionary; of more than `most`, the first go."""
    kept.pop(key, None)
    kept[key] = value
    while len(kept) > most:
        kept.pop(next(iter(kept), key), None)

"""The set of caches of a process: sessions, apps and profiles."""

from collections.abc import Callable, Mapping
from typing import Any, Self, cast

from flask import current_app

from app.services.cache.invalidation import Cache, InvalidationLog
from app.services.cache.session_cache import SessionCache
from app.services.runtime.per_process import OncePerProcess

MOST_APPS = 10_000
MOST_PROFILES = 10_000


class Caches:
    """All caches of a process. They stay empty while no notifications can be received."""

    def __init__(self, most_sessions: int) -> None:
        self._most_sessions = most_sessions
        self.begin_listening: Callable[[], None] | None = None
        self._once = OncePerProcess(self._begin)
        self._clear()

    def _clear(self) -> None:
        self.changes = InvalidationLog()
        self.sessions = SessionCache(self.changes, self._most_sessions)
        self.apps: Cache[str, Any] = Cache(self.changes, MOST_APPS)
        self.profiles: Cache[bytes, bytes] = Cache(self.changes, MOST_PROFILES)
        # Profiles contain names and phone numbers.
        self.changes.forget = self.profiles.drop

    def _begin(self) -> None:
        self._clear()
        if self.begin_listening is not None:
            self.begin_listening()

    @property
    def has_begun(self) -> bool:
        """Return whether this process has used the caches."""
        return self._once.has_begun

    def lookups(self) -> Mapping[tuple[str, str], int]:
        """Return the lookups of this process by cache and result, `hit` or `miss`."""
        caches: dict[str, Cache[Any, Any] | SessionCache] = {
            "sessions": self.sessions,
            "apps": self.apps,
            "profiles": self.profiles,
        }
        return {
            (name, result): lookups
            for name, cache in caches.items()
            for result, lookups in (("hit", cache.hits), ("miss", cache.misses))
        }

    def of_this_process(self) -> Self:
        """Return the caches of this process. A forked process starts with empty caches."""
        self._once()
        return self


def caches() -> Caches:
    """Return the caches of this process for the running Flask app."""
    return cast(Caches, current_app.extensions["caches"]).of_this_process()

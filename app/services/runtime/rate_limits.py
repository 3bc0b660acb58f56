"""Rate limits: counts of events per minute, of one process or shared by all.

`limits` keeps the counts, in memory or in Redis or Valkey (RATE_LIMIT_STORAGE_URL). Only events are
sent to the server; a key that has used up its limit is remembered in the process until its wait is
over, so that requests that are refused, and those that cause no event, cost no round trip. While
the server is unreachable, counts are kept per process.
"""

import math
import time
from dataclasses import dataclass
from threading import Lock
from typing import cast

import structlog
from flask import current_app
from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from app.services.runtime.bounded import keep_latest

# A slow server must not delay logins.
TIMEOUT_SECONDS = 0.3
# After an error, the server is left alone for so long.
RETRY_SERVER_AFTER = 5.0
MOST_BLOCKED = 10_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Rule:
    """At most so many events per minute and key. The name separates the keys of rules."""

    name: str
    per_minute: int


class RateLimits:
    """The counts of a process, or its connection to the shared ones."""

    def __init__(self, storage_url: str | None = None) -> None:
        self._own = FixedWindowRateLimiter(MemoryStorage())
        self._shared = None if storage_url is None else _connect(storage_url)
        self._lock = Lock()
        self._blocked: dict[tuple[str, ...], float] = {}
        self._server_due = 0.0

    def wait_of(self, rule: Rule, *key: str) -> int:
        """Return the seconds until the key is admitted again, 0 if it is admitted."""
        until = self._blocked.get((rule.name, *key), 0.0)
        return max(0, math.ceil(until - time.monotonic()))

    def count(self, rule: Rule, *key: str) -> None:
        """Count an event. The event that exceeds the limit blocks the key for a minute at most."""
        item = RateLimitItemPerMinute(rule.per_minute)
        limiter = self._limiter()
        try:
            self._count(limiter, item, rule, key)
        except StorageError:
            self._server_failed()
            self._count(self._own, item, rule, key)

    def _count(
        self,
        limiter: FixedWindowRateLimiter,
        item: RateLimitItemPerMinute,
        rule: Rule,
        key: tuple[str, ...],
    ) -> None:
        limiter.hit(item, rule.name, *key)
        window = limiter.get_window_stats(item, rule.name, *key)
        if window.remaining <= 0:
            self._block((rule.name, *key), window.reset_time - time.time())

    def _block(self, key: tuple[str, ...], seconds: float) -> None:
        with self._lock:
            keep_latest(self._blocked, key, time.monotonic() + seconds, MOST_BLOCKED)

    def _limiter(self) -> FixedWindowRateLimiter:
        if self._shared is None or time.monotonic() < self._server_due:
            return self._own
        return self._shared

    def _server_failed(self) -> None:
        self._server_due = time.monotonic() + RETRY_SERVER_AFTER
        log.warning("rate_limit_server_unreachable", retry_after=RETRY_SERVER_AFTER)


def rate_limits() -> RateLimits:
    """Return the rate limits of the running app."""
    return cast(RateLimits, current_app.extensions["rate_limits"])


def _connect(storage_url: str) -> FixedWindowRateLimiter:
    storage = storage_from_string(
        storage_url,
        wrap_exceptions=True,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
    )
    return FixedWindowRateLimiter(cast(Storage, storage))

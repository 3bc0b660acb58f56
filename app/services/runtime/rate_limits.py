"""Rate limits: counts of events per minute, kept per process or shared by all processes.

The package `limits` keeps the counts in memory, or in Redis or Valkey (RATE_LIMIT_STORAGE_URL).
Only counting an event takes a round trip to the server. A key that has used up its limit is blocked
in the memory of the process, so that checking a key takes none. While the server is unreachable,
each process keeps its own counts.
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
# After an error, the server is not used for this many seconds.
RETRY_SERVER_AFTER = 5.0
MOST_BLOCKED = 10_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Rule:
    """The number of events allowed per minute and key. The name separates the keys of rules."""

    name: str
    per_minute: int


class RateLimits:
    """The rate limits of a process, with a connection to the shared counts if there are any."""

    def __init__(self, storage_url: str | None = None) -> None:
        self._own = FixedWindowRateLimiter(MemoryStorage())
        self._shared = None if storage_url is None else _connect(storage_url)
        self._lock = Lock()
        self._blocked: dict[tuple[str, ...], float] = {}
        self._server_due = 0.0

    def wait_of(self, rule: Rule, *key: str) -> int:
        """Return the seconds until the key is no longer blocked, or 0 if it is not blocked."""
        until = self._blocked.get((rule.name, *key), 0.0)
        return max(0, math.ceil(until - time.monotonic()))

    def count(self, rule: Rule, *key: str) -> None:
        """Count an event. The event that reaches the limit blocks the key for up to a minute."""
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
    """Return the rate limits of the running Flask app."""
    return cast(RateLimits, current_app.extensions["rate_limits"])


def _connect(storage_url: str) -> FixedWindowRateLimiter:
    storage = storage_from_string(
        storage_url,
        wrap_exceptions=True,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
    )
    return FixedWindowRateLimiter(cast(Storage, storage))

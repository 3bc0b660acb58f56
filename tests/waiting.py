"""Waiting for a condition instead of for a time."""

import time
from collections.abc import Callable

from tests.cast import Reader

WAITING = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait until a condition holds; fail if it takes too long."""
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at, "it never came to that"
        time.sleep(0.005)


def until_waiting_for_a_lock(rows: Reader, how_many: int = 1) -> None:
    """Wait until so many connections to the database wait for a lock."""
    until(lambda: rows(WAITING) == [(how_many,)])

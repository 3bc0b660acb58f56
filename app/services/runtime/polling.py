"""Polling for the result of another process, without a database connection."""

import time
from collections.abc import Iterator

# Longer than one call to WeChat takes, shorter than clients wait.
PATIENCE_SECONDS = 12.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 0.5


def backoff() -> Iterator[int]:
    """Yield the number of each attempt, from 0, with growing pauses. End after 12 s."""
    deadline, pause, look = time.monotonic() + PATIENCE_SECONDS, FIRST_PAUSE_SECONDS, 0
    while time.monotonic() < deadline:
        yield look
        time.sleep(pause)
        pause, look = min(2 * pause, LONGEST_PAUSE_SECONDS), look + 1

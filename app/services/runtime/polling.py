"""Polling for the result of another process, without a database connection."""

import time
from collections.abc import Iterator

# Longer than a call to WeChat takes, shorter than clients wait for a response.
PATIENCE_SECONDS = 12.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 0.5


def backoff(seconds: float = PATIENCE_SECONDS) -> Iterator[int]:
    """Yield 0, 1, 2 and so on with growing pauses in between. Stop after `seconds`."""
    deadline, pause, look = time.monotonic() + seconds, FIRST_PAUSE_SECONDS, 0
    while time.monotonic() < deadline:
        yield look
        time.sleep(pause)
        pause, look = min(2 * pause, LONGEST_PAUSE_SECONDS), look + 1

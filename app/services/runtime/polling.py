"""Waiting for what another process is doing, with no connection held."""

import time
from collections.abc import Iterator

# Longer than one call to WeChat takes, shorter than clients wait.
PATIENCE_SECONDS = 12.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 0.5


def backoff() -> Iterator[int]:
    """Return the number of each look, from 0, with ever longer pauses between; end after 12 s."""
    deadline, pause, look = time.monotonic() + PATIENCE_SECONDS, FIRST_PAUSE_SECONDS, 0
    while time.monotonic() < deadline:
        yield look
        time.sleep(pause)
        pause, look = min(2 * pause, LONGEST_PAUSE_SECONDS), look + 1

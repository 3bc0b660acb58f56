"""Progress messages in the terminal."""

import sys
import time

EVERY_SECONDS = 5

_last: dict[str, float] = {}


def say(text: str) -> None:
    """Print a message to stderr without buffering."""
    print(text, file=sys.stderr, flush=True)


def report_progress(what: str, done: int, of: int) -> None:
    """Print the progress of a task, at most every five seconds and at the end of the task."""
    now = time.monotonic()
    if done == of or now - _last.get(what, 0) > EVERY_SECONDS:
        _last[what] = now
        say(f"{what}: {done:,} of {of:,}")

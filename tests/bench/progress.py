"""What a person at the terminal sees while it runs."""

import sys
import time

EVERY_SECONDS = 5

_last: dict[str, float] = {}


def say(text: str) -> None:
    """Tell it at once."""
    print(text, file=sys.stderr, flush=True)


def say_how_far(what: str, done: int, of: int) -> None:
    """Tell how far it is, every few seconds and at the end."""
    now = time.monotonic()
    if done == of or now - _last.get(what, 0) > EVERY_SECONDS:
        _last[what] = now
        say(f"{what}: {done:,} of {of:,}")

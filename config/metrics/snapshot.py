"""Values of the whole service that one worker reads regularly, in a file for the exporter.

The exporter itself has no connection to the database and none of the service's secrets.
"""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from config.metrics.folder import SNAPSHOT

EVERY_SECONDS = 60.0
# Older values are not exported: no worker can read them.
LONGEST_AGE_SECONDS = 150.0


class Value(NamedTuple):
    """The value of a gauge with its labels."""

    name: str
    help: str
    labels: dict[str, str]
    value: float


def renew(folder: Path, read: Callable[[], Sequence[Value]]) -> bool:
    """Write what `read` returns, unless a process of this host did so within the last minute.

    Returns whether this process has read the values.
    """
    with open(folder / "service.lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        file = folder / SNAPSHOT
        if file.exists() and time.time() - file.stat().st_mtime < EVERY_SECONDS - 1:
            return False
        written = folder / f"{SNAPSHOT}.{os.getpid()}"
        written.write_text(json.dumps([list(value) for value in read()]))
        written.replace(file)
    return True


def recent_values(folder: Path) -> Iterator[Value]:
    """Yield the values of the file. Yield none if they are old, or if there is no file."""
    file = folder / SNAPSHOT
    try:
        if time.time() - file.stat().st_mtime > LONGEST_AGE_SECONDS:
            return
        content = json.loads(file.read_text())
    except OSError:
        return
    for name, about, labels, value in content:
        yield Value(name, about, labels, value)

"""State of a process that must not survive a fork."""

import os
from collections.abc import Callable
from threading import Lock


class OncePerProcess:
    """Calls `begin` once in each process. Concurrent first calls wait until it has returned."""

    def __init__(self, begin: Callable[[], None]) -> None:
        self._begin = begin
        self._beginning = Lock()
        self._process: int | None = None

    @property
    def has_begun(self) -> bool:
        """Return whether this process, not one that it was forked from, has called it."""
        return self._process == os.getpid()

    def __call__(self) -> None:
        if not self.has_begun:
            with self._beginning:
                if not self.has_begun:
                    self._begin()
                    self._process = os.getpid()

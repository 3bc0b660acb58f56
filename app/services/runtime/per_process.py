"""Per-process initialisation that is repeated after a fork."""

import os
from collections.abc import Callable
from threading import Lock


class OncePerProcess:
    """A callable that calls `begin` once per process. Concurrent first calls wait for that."""

    def __init__(self, begin: Callable[[], None]) -> None:
        self._begin = begin
        self._beginning = Lock()
        self._process: int | None = None

    @property
    def has_begun(self) -> bool:
        """Return whether `begin` was called in this process. Calls before a fork do not count."""
        return self._process == os.getpid()

    def __call__(self) -> None:
        if not self.has_begun:
            with self._beginning:
                if not self.has_begun:
                    self._begin()
                    self._process = os.getpid()

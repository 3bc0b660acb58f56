"""The failed steps of a retention run."""

from collections.abc import Iterator

import structlog

log = structlog.get_logger()


class Failures:
    """Logs and counts the steps that fail. A step may contain other steps."""

    def __init__(self) -> None:
        self.count = 0

    def attempt(self, kind: str, about: str, step: Iterator[int]) -> int:
        """Run a step, and return the sum of the numbers that it yields until it fails or ends."""
        done = 0
        try:
            for count in step:
                done += count
        except Exception as error:
            self.count += 1
            log.error("retention_failed", kind=kind, about=about, exc_info=error)
        return done

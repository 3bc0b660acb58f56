"""Warnings about spans that could not be sent: few, and in the format of our log."""

import logging
import time
from contextvars import Context
from threading import Lock

import structlog

log = structlog.get_logger()

# Seconds between two warnings of a process.
EVERY = 300.0
LONGEST_REASON = 200


class LimitedWarnings(logging.Handler):
    """Replaces the messages of OpenTelemetry's loggers by at most one warning per five minutes."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._counting = Lock()
        self._next_at = 0.0
        self._unlogged = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Log a message, or count it. The next warning has the number of those only counted."""
        with self._counting:
            if time.monotonic() < self._next_at:
                self._unlogged += 1
                return
            unlogged, self._unlogged = self._unlogged, 0
            self._next_at = time.monotonic() + EVERY
        reason = record.getMessage()[:LONGEST_REASON]
        # Outside the context of the request that happened to cause the message.
        Context().run(log.warning, "traces_not_sent", reason=reason, unlogged=unlogged)


def limit_export_warnings() -> None:
    """Handle the messages of OpenTelemetry in this process."""
    logger = logging.getLogger("opentelemetry")
    logger.handlers = [LimitedWarnings()]
    logger.propagate = False

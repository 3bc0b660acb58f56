"""State of the read replica in this process: whether it may be asked, and the pause if not."""

import time
from typing import cast

import structlog
from flask import current_app

log = structlog.get_logger()

# After a failure, the replica is not asked for this period.
PAUSE_SECONDS = 30.0
# After the pause, one request asks the replica. The others use the primary for this period, or
# until the replica has answered.
PROBE_SECONDS = 3.0


class Replica:
    """Whether the replica may be asked. After a failure it is skipped for `PAUSE_SECONDS`."""

    def __init__(self) -> None:
        self._skipped_until = 0.0
        self._is_suspect = False
        self._quiet_until = 0.0

    def may_be_asked(self) -> bool:
        """Return whether to ask the replica. After a pause, only the first caller gets True."""
        moment = time.monotonic()
        if moment < self._skipped_until:
            return False
        if self._is_suspect:
            self._skipped_until = moment + PROBE_SECONDS
        return True

    def note_answer(self) -> None:
        """Note that the replica answers and is recent enough. This ends a pause."""
        if self._is_suspect:
            log.info("replica_resumed")
        self._skipped_until, self._is_suspect = 0.0, False

    def note_failure(self, reason: str, *, pauses: bool) -> None:
        """Note that a read went to the primary. Log it once per period."""
        moment = time.monotonic()
        if pauses:
            self._skipped_until, self._is_suspect = moment + PAUSE_SECONDS, True
        if moment >= self._quiet_until:
            self._quiet_until = moment + PAUSE_SECONDS
            log.warning("replica_skipped", reason=reason)


def find_replica() -> Replica | None:
    """Return the replica's state if there is a replica that may be asked now, otherwise None."""
    replica = cast(Replica | None, current_app.extensions["replica"])
    return replica if replica and replica.may_be_asked() else None

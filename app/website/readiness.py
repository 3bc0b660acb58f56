"""The state of the service, as the landing page shows it."""

from time import monotonic
from typing import cast

from flask import current_app

from app.errors import Failure
from app.services.encryption.readiness import check_readiness

RECENT_SECONDS = 1.0


class RecentReadiness:
    """The result of the last readiness check of this process, which is used for one second.

    Requests without a recent result share one check with each other and with `/readyz`.
    """

    def __init__(self) -> None:
        self._last: tuple[float, Failure | None] | None = None

    def find_problem(self) -> Failure | None:
        """Return why `/readyz` would answer 503, or None if the service is ready."""
        last = self._last
        if last is None or monotonic() - last[0] >= RECENT_SECONDS:
            problem = _check()
            # The second begins when the check ends, because a check can take longer.
            self._last = last = monotonic(), problem
        return last[1]


def find_problem() -> Failure | None:
    """Return why the service is not ready, or None if it is ready, as of the last second."""
    return cast(RecentReadiness, current_app.extensions["recent_readiness"]).find_problem()


def _check() -> Failure | None:
    try:
        check_readiness()
    except Failure as failure:
        # The traceback would keep the local variables of the check in memory.
        return failure.with_traceback(None)
    return None

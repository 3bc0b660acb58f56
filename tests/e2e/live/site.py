"""The service, with the worker's process id in each response and a clock that may be wrong.

The environment variable SKEW is the number of seconds that the clock is ahead.
"""

import datetime
import os
from collections.abc import Callable, Iterable
from typing import Any

from app import clock
from wsgi import app as service

SKEW = datetime.timedelta(seconds=int(os.environ.get("SKEW", "0")))


class SkewedClock(datetime.datetime):
    """A datetime class with a clock that is SKEW ahead."""

    @classmethod
    def now(cls, zone: datetime.tzinfo | None = None) -> datetime.datetime:
        """Return the current time plus SKEW."""
        return datetime.datetime.now(zone) + SKEW


clock.datetime = SkewedClock


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Run the service, and add the response header X-Worker with the process id."""

    def start_with_worker(status: str, headers: list[tuple[str, str]], *others: Any) -> Any:
        return start_response(status, [*headers, ("X-Worker", str(os.getpid()))], *others)

    return service(environ, start_with_worker)

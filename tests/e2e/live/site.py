"""The service as gunicorn runs it, but each answer says which worker gave it, by a clock told to.

`SKEW` is how many seconds this service's clock is ahead.
"""

import datetime
import os
from collections.abc import Callable, Iterable
from typing import Any

from app import clock
from wsgi import app as service

SKEW = datetime.timedelta(seconds=int(os.environ.get("SKEW", "0")))


class SkewedClock(datetime.datetime):
    """A machine's clock that is not right."""

    @classmethod
    def now(cls, zone: datetime.tzinfo | None = None) -> datetime.datetime:
        """Give what this clock shows."""
        return datetime.datetime.now(zone) + SKEW


clock.datetime = SkewedClock


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer as the service does."""

    def tell(status: str, headers: list[tuple[str, str]], *others: Any) -> Any:
        return start_response(status, [*headers, ("X-Worker", str(os.getpid()))], *others)

    return service(environ, tell)

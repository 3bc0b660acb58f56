"""Single flight of login codes: the codes that this process is exchanging or has exchanged.

Requests with the same code share one call to WeChat, whether they arrive together or one after the
other. In another process, WeChat rejects the code, and the login is read from `code_exchanges`.
"""

import time
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Event, Lock
from types import TracebackType
from typing import cast

from flask import current_app

from app.errors import Failure, Internal, as_failure
from app.services.login.code_exchange import REPEAT_WINDOW, LoginRequest
from app.services.runtime.bounded import keep_latest
from app.services.runtime.polling import PATIENCE_SECONDS
from app.wechat import WeChatError, WeChatUnavailable

MOST_REMEMBERED = 10_000
# The statuses of refusals that a repetition cannot change.
REFUSALS = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)


@dataclass(slots=True)
class Flight:
    """The login of the first request with a code. A context manager around that login.

    A flight that failed because of WeChat or the service is forgotten when it ends, so the next
    request asks WeChat again. A refusal, such as a disabled user, is repeated.
    """

    asked_by: bytes
    expires_at: float
    failure: Failure | None = None
    _ended: Event = field(default_factory=Event)

    def __enter__(self) -> "Flight":
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if isinstance(error, WeChatError):
            error = as_failure(error)
        if error is not None:
            self.failure = error if isinstance(error, Failure) else Internal(type(error).__name__)
        self._ended.set()

    @property
    def has_ended(self) -> bool:
        """Return whether the first request has been answered."""
        return self._ended.is_set()

    def wait(self) -> None:
        """Wait until the first request has logged in.

        Raises its failure if it failed, and WeChatUnavailable after 12 seconds.
        """
        if not self._ended.wait(PATIENCE_SECONDS):
            raise WeChatUnavailable(reason="the exchange of the code was not finished")
        if self.failure is not None:
            raise self.failure.again()

    @property
    def can_be_joined(self) -> bool:
        """Return whether requests with the code wait for this flight or repeat its result."""
        if not self.has_ended:
            return True
        is_kept = self.failure is None or self.failure.status in REFUSALS
        return is_kept and time.monotonic() < self.expires_at


class CodeFlights:
    """The codes in flight of one process, and those exchanged in the last 30 seconds."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._flights: dict[bytes, Flight] = {}

    def join(self, request: LoginRequest) -> tuple[Flight, bool]:
        """Return the flight of the request's code, and whether the request leads it."""
        index = request.code_index
        with self._lock:
            flight = self._flights.get(index)
            if flight is not None and flight.can_be_joined:
                return flight, False
            expires_at = time.monotonic() + REPEAT_WINDOW.total_seconds()
            flight = Flight(request.asked_by, expires_at)
            keep_latest(self._flights, index, flight, MOST_REMEMBERED)
            return flight, True


def code_flights() -> CodeFlights:
    """Return the `CodeFlights` of the running app."""
    return cast(CodeFlights, current_app.extensions["code_flights"])

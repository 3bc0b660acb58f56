"""Codes: five minutes, one exchange."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from app.simulator.refusals import Refusal

LIFETIME = 300.0

Grant = TypeVar("Grant")


@dataclass
class IssuedCode(Generic[Grant]):
    """A code that was given to a phone, and what it stands for."""

    appid: str
    grant: Grant
    expires_at: float
    used: bool = False


class Codes(Generic[Grant]):
    """All codes of one kind. Login codes and phone codes are never interchangeable."""

    def __init__(self) -> None:
        self._issued: dict[str, IssuedCode[Grant]] = {}

    def issue(self, value: str, appid: str, grant: Grant, now: float) -> None:
        """Remember a new code, and forget those that have expired."""
        self._forget_expired(now)
        self._issued[value] = IssuedCode(appid, grant, expires_at=now + LIFETIME)

    def get(self, value: str, now: float) -> IssuedCode[Grant]:
        """Return the code, used or not; raise 40029 when it is unknown or expired."""
        issued = self._issued.get(value)
        if issued is None or now >= issued.expires_at:
            raise Refusal(40029)
        return issued

    def _forget_expired(self, now: float) -> None:
        # The clock never goes back, so the oldest come first; a load test must not fill the memory.
        while self._issued:
            oldest = next(iter(self._issued))
            if now < self._issued[oldest].expires_at:
                return
            del self._issued[oldest]

"""Codes, valid for five minutes and one exchange."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from app.simulator.refusals import Refusal

LIFETIME = 300.0

Grant = TypeVar("Grant")


@dataclass
class IssuedCode(Generic[Grant]):
    """An issued code and its grant."""

    appid: str
    grant: Grant
    expires_at: float
    used: bool = False


class Codes(Generic[Grant]):
    """All codes of one kind. Login codes and phone codes are not interchangeable."""

    def __init__(self) -> None:
        self._issued: dict[str, IssuedCode[Grant]] = {}

    def issue(self, value: str, appid: str, grant: Grant, now: float) -> None:
        """Store a new code, and remove expired ones."""
        self._remove_expired(now)
        self._issued[value] = IssuedCode(appid, grant, expires_at=now + LIFETIME)

    def get(self, value: str, now: float) -> IssuedCode[Grant]:
        """Return the code, used or not. Raise 40029 if it is unknown or expired."""
        issued = self._issued.get(value)
        if issued is None or now >= issued.expires_at:
            raise Refusal(40029)
        return issued

    def _remove_expired(self, now: float) -> None:
        # Codes are in the order of expiry, because the clock never goes back.
        while self._issued:
            oldest = next(iter(self._issued))
            if now < self._issued[oldest].expires_at:
                return
            del self._issued[oldest]

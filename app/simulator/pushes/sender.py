"""Delivery of pushes: up to three attempts, each with a timeout of 5 seconds."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlencode, urlsplit

from app.simulator.pushes.wire import Delivery

ATTEMPTS = 3
PATIENCE = 5.0
_SHOWN = 500
_CONNECTIONS = {"http": HTTPConnection, "https": HTTPSConnection}


@dataclass(frozen=True)
class Attempt:
    """The result of one delivery: a status and a response, or an error."""

    status: int | None
    answer: str

    @property
    def satisfies(self) -> bool:
        """Return whether WeChat accepts the response and stops retrying."""
        return self.status == 200 and self.answer in ("", "success")


def send_until_answered(
    url: str, write: Callable[[], Delivery], patience: float = PATIENCE
) -> tuple[Delivery, list[Attempt]]:
    """Send up to three times, signed each time. Return the last delivery and all attempts."""
    attempts: list[Attempt] = []
    for _ in range(ATTEMPTS):
        delivery = write()
        attempts.append(send(url, delivery, patience))
        if attempts[-1].satisfies:
            break
    return delivery, attempts


def send(url: str, delivery: Delivery, patience: float = PATIENCE) -> Attempt:
    """Send once."""
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, urlencode(delivery.query)) if part)
    headers = {"Content-Type": delivery.content_type, "User-Agent": "Mozilla/4.0"}
    connect = _CONNECTIONS[parts.scheme]
    try:
        with closing(connect(parts.netloc, timeout=patience)) as connection:
            connection.request("POST", f"{parts.path or '/'}?{query}", delivery.body, headers)
            response = connection.getresponse()
            return Attempt(response.status, response.read(_SHOWN).decode(errors="replace"))
    except (OSError, HTTPException) as error:
        return Attempt(None, type(error).__name__)

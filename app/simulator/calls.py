"""Log of the calls that reached WeChat: names of parameters, never their values."""

from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

# Bounds the memory: a load test makes hundreds of thousands of calls.
KEPT = 10_000


@dataclass(frozen=True)
class Call:
    """One call that reached WeChat."""

    method: str
    path: str
    appid: str | None
    query: tuple[str, ...]
    body: tuple[str, ...]
    openid_given: bool


class CallLog:
    """The newest calls, oldest first."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque(maxlen=KEPT)
        self._waiting = self.most_waiting = 0

    def record(self, call: Call) -> None:
        """Add a call."""
        self._calls.append(call)

    def listing(self) -> list[dict[str, Any]]:
        """Return the calls as JSON objects."""
        return [asdict(call) for call in self._calls]

    def clear(self) -> None:
        """Remove all calls."""
        self._calls.clear()
        self.most_waiting = self._waiting

    def wait(self, waiting: bool) -> None:
        """Count a delayed call at the start (true) or the end (false) of its delay."""
        self._waiting += 1 if waiting else -1
        self.most_waiting = max(self.most_waiting, self._waiting)

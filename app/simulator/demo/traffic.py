"""Record of the requests between phone, service, WeChat and console, with masked secrets."""

import threading
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from app.simulator.demo.masking import mask

# Bounds the memory.
KEPT = 500


@dataclass
class Exchange:
    """A request and its answer. `revision` grows with each change of any exchange.

    `source` and `target` are phone, service, wechat or console. `phone` is left, right or None.
    `facts` are those of the service's log line about the request.
    """

    id: int
    source: str
    target: str
    kind: str
    phone: str | None
    request: Any
    at: float
    revision: int
    ended: float | None = None
    status: int | None = None
    answer: Any = None
    facts: dict[str, str] = field(default_factory=dict)


class Traffic:
    """The newest exchanges, in the order of their beginning."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._exchanges: list[Exchange] = []
        self._revision = self._newest_id = 0

    def begin(
        self, source: str, target: str, kind: str, request: Any, phone: str | None = None
    ) -> Exchange:
        """Record the beginning of an exchange."""
        masked = mask(request)
        with self._lock:
            self._revision += 1
            self._newest_id += 1
            exchange = Exchange(
                self._newest_id, source, target, kind, phone, masked, time.time(), self._revision
            )
            self._exchanges = [*self._exchanges[1 - KEPT :], exchange]
        return exchange

    def end(
        self, exchange: Exchange, status: int | None, answer: Any, facts: dict[str, str]
    ) -> None:
        """Record the answer. A status of None means that none arrived."""
        masked = mask(answer, is_problem=isinstance(answer, dict) and "title" in answer)
        with self._lock:
            self._revision += 1
            exchange.ended, exchange.revision = time.time(), self._revision
            exchange.status, exchange.answer, exchange.facts = status, masked, facts

    def since(self, revision: int) -> dict[str, Any]:
        """Return the exchanges that changed after a revision, and the current revision."""
        with self._lock:
            changed = [asdict(one) for one in self._exchanges if one.revision > revision]
            return {"revision": self._revision, "exchanges": changed}

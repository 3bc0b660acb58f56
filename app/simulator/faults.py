"""Faults that WeChat, or the network before it, was told to have."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

from app.simulator.calls import Call

# Answered with this errcode, and nothing is done: the code stays fresh.
REFUSING = {"busy": -1, "rate_limited": 45011, "blocked": 40226, "errcode": None}
# Answered with something that is not WeChat's JSON, and nothing is done.
REPLACING = frozenset({"html", "empty", "http_500", "not_json_object"})
# The work is done, then the JSON of the answer is changed.
CHANGING = frozenset(
    {
        *("no_unionid", "missing_openid", "extra_fields", "reused_as_40029"),
        *("empty_phone", "no_country_code"),
    }
)
# The work is done, and the answer comes late, cut off or never.
LOSING = frozenset({"timeout", "truncated", "drop"})
OTHERS = frozenset({"slow", "stale_token"})

KINDS = frozenset(REFUSING) | REPLACING | CHANGING | LOSING | OTHERS
DEFAULT_SECONDS = {"slow": 2.0, "timeout": 10.0}


@dataclass(eq=False)
class Fault:
    """One fault: which calls it concerns, and how often it still happens."""

    kind: str
    path: str | None = None
    appid: str | None = None
    times: int | None = None
    seconds: float = 0.0
    errcode: int | None = None

    def concerns(self, call: Call) -> bool:
        """Return whether the fault is meant for this call."""
        return self.path in (None, call.path) and self.appid in (None, call.appid)


class Faults:
    """The faults still to happen, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Add a fault."""
        self._faults.append(fault)

    def take(self, kinds: Collection[str], call: Call) -> Fault | None:
        """Return the first of these faults that applies to the call, and decrement its count."""
        for fault in self._faults:
            if fault.kind in kinds and fault.concerns(call):
                self._count_down(fault)
                return fault
        return None

    def listing(self) -> list[dict[str, Any]]:
        """Return the faults still to happen as JSON objects."""
        return [asdict(fault) for fault in self._faults]

    def clear(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def _count_down(self, fault: Fault) -> None:
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._faults.remove(fault)

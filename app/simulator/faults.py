"""Faults to inject into calls: errors of WeChat and of the network."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

from app.simulator.calls import Call

# WeChat responds with this errcode and does not execute the call, so a code is not used up.
REFUSING = {"busy": -1, "rate_limited": 45011, "blocked": 40226, "errcode": None}
# The response is not WeChat's JSON, and the call is not executed.
REPLACING = frozenset({"html", "empty", "http_500", "not_json_object"})
# The call is executed, and the JSON of the response is changed.
CHANGING = frozenset(
    {
        *("no_unionid", "missing_openid", "extra_fields", "reused_as_40029"),
        *("empty_phone", "no_country_code"),
    }
)
# The call is executed, and the response is delayed, truncated or lost.
LOSING = frozenset({"timeout", "truncated", "drop"})
OTHERS = frozenset({"slow", "stale_token"})

KINDS = frozenset(REFUSING) | REPLACING | CHANGING | LOSING | OTHERS
DEFAULT_SECONDS = {"slow": 2.0, "timeout": 10.0}


@dataclass(eq=False)
class Fault:
    """A fault of one kind.

    `path` and `appid` select the calls; None matches all. `times` is the number of calls that the
    fault still applies to; None is unlimited. `seconds` is the delay of `slow` and `timeout`.
    """

    kind: str
    path: str | None = None
    appid: str | None = None
    times: int | None = None
    seconds: float = 0.0
    errcode: int | None = None

    def applies_to(self, call: Call) -> bool:
        """Return whether the fault applies to the call."""
        return self.path in (None, call.path) and self.appid in (None, call.appid)


class Faults:
    """The pending faults, in the order in which they were added."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Add a fault."""
        self._faults.append(fault)

    def take(self, kinds: Collection[str], call: Call) -> Fault | None:
        """Return the first fault of these kinds that applies to the call. Decrement its `times`."""
        for fault in self._faults:
            if fault.kind in kinds and fault.applies_to(call):
                self._decrement(fault)
                return fault
        return None

    def listing(self) -> list[dict[str, Any]]:
        """Return the pending faults as JSON objects."""
        return [asdict(fault) for fault in self._faults]

    def clear(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def _decrement(self, fault: Fault) -> None:
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._faults.remove(fault)

"""The rules of alerts: when one opens, is notified, repeated and closed.

Pure functions of an alert and an observation, without database and clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

REPEAT_AFTER = timedelta(hours=4)
# An alert recovers when its condition has not been observed for this time.
CALM = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Observation:
    """A condition that holds now.

    `tenant_id` and `appid` are None for a condition of the platform. `seen_at` is the last time at
    which it certainly held. The alert opens `opens_after` after `since`. `facts` are names, numbers
    and msgids for the message.
    """

    tenant_id: UUID | None
    appid: str | None
    condition: str
    since: datetime
    seen_at: datetime
    opens_after: timedelta
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[UUID | None, str | None, str]:
        """The columns that identify an alert that has not recovered."""
        return self.tenant_id, self.appid, self.condition


@dataclass(frozen=True, slots=True)
class State:
    """The times of an alert that has not recovered."""

    since: datetime
    seen_at: datetime
    opened_at: datetime | None
    last_notified_at: datetime | None
    is_muted: bool


class Notice(StrEnum):
    """The kind of a message about an alert."""

    PROBLEM = "problem"
    REPEATED = "repeated"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with an alert. `notice` is the message to send now, if there are channels."""

    opens: bool = False
    closes: bool = False
    notice: Notice | None = None


def decide(state: State, observed: Observation | None, moment: datetime) -> Decision:
    """Decide what to do with an alert at an evaluation. `observed` is None if the condition is off.

    A muted alert is not notified. It is notified after the mute if it is still open, and its
    recovery only if the problem was notified.
    """
    if observed is None:
        return _decide_absent(state, moment)
    opens = state.opened_at is None and moment - observed.since >= observed.opens_after
    if (state.opened_at is None and not opens) or state.is_muted:
        return Decision(opens=opens)
    if state.last_notified_at is None:
        return Decision(opens=opens, notice=Notice.PROBLEM)
    if moment - state.last_notified_at >= REPEAT_AFTER:
        return Decision(notice=Notice.REPEATED)
    return Decision()


def _decide_absent(state: State, moment: datetime) -> Decision:
    if moment - state.seen_at < CALM:
        return Decision()
    was_notified = state.last_notified_at is not None and not state.is_muted
    return Decision(closes=True, notice=Notice.RECOVERED if was_notified else None)

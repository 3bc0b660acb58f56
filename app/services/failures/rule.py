"""The rule that decides which causes fail, and since when.

It is a pure function of the failures and logins of an app by minute.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.services.failures.causes import Kind

# A cause has ended when it did not occur for this period, and users logged in since.
CALM = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Threshold:
    """When a cause counts as failing: its share of a minute's logins, and its least number."""

    share: float
    least: int


THRESHOLDS: Mapping[Kind, Threshold] = {
    # Until its admin acts, WeChat rejects every call of the app.
    Kind.APP: Threshold(0.0, 1),
    # Single calls time out, and single requests meet a failover.
    Kind.SERVICE: Threshold(0.05, 3),
    Kind.WECHAT: Threshold(0.05, 3),
    # The mistakes of users are normal, unless they are the majority.
    Kind.SETTINGS: Threshold(0.5, 3),
    Kind.CLIENT: Threshold(0.5, 10),
}


@dataclass(frozen=True, slots=True)
class Minute:
    """The failures with one cause, and the successful logins of the app, in a minute."""

    minute: datetime
    failures: int
    logins: int


@dataclass(frozen=True, slots=True)
class Run:
    """An uninterrupted run of failures.

    `failures` and `logins` are those of the run in the period that was asked for. `first_at` may be
    earlier. `is_over` says whether the cause has ended.
    """

    first_at: datetime
    last_at: datetime
    failures: int
    logins: int
    is_over: bool

    @property
    def share(self) -> float:
        """The failures as a share of failures and logins."""
        return self.failures / (self.failures + self.logins)


def find_run(
    minutes: Sequence[Minute], kind: Kind, since: datetime, moment: datetime
) -> Run | None:
    """Return the last run of failures, or None if it does not count as failing.

    `minutes` are those with failures or logins, in their order. A run begins with a minute in which
    the failures reach the threshold of the kind. It ends when no such minute follows for `CALM` and
    users logged in since: without logins, nothing shows that they work again.
    """
    run: list[Minute] = []
    last: Minute | None = None
    has_logins = False
    for one in minutes:
        if _is_bad(one, kind):
            if last is not None and has_logins and one.minute - last.minute >= CALM:
                run = []
            run.append(one)
            last, has_logins = one, False
        else:
            has_logins = has_logins or one.logins > 0
            run += [one] if run else []
    if last is None or last.minute < since:
        return None
    is_over = has_logins and moment - last.minute >= CALM
    counted = (one for one in run if one.minute >= since)
    if is_over:
        counted = (one for one in counted if one.minute <= last.minute)
    return _run(run[0].minute, last.minute, counted, is_over, THRESHOLDS[kind])


def _run(
    first_at: datetime,
    last_at: datetime,
    counted: Iterable[Minute],
    is_over: bool,
    threshold: Threshold,
) -> Run | None:
    sums = list(counted)
    failures, logins = sum(one.failures for one in sums), sum(one.logins for one in sums)
    run = Run(first_at, last_at, failures, logins, is_over)
    return run if failures >= threshold.least and run.share >= threshold.share else None


def _is_bad(one: Minute, kind: Kind) -> bool:
    share = THRESHOLDS[kind].share
    return one.failures > 0 and one.failures >= share * (one.failures + one.logins)

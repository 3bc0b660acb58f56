"""Counters of this process, in memory until `count_writer` writes them.

Counting needs no database, no lock and no waiting (docs/decisions/0014).
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta, timezone
from threading import Lock
from typing import Generic, NamedTuple, TypeVar, cast

from flask import current_app
from sqlalchemy.orm import Session

from app.clock import now
from app.models import Measure
from app.models.answer_time import BOUNDS, UNANSWERED
from app.services.database.transactions import on_commit
from app.services.runtime.per_process import OncePerProcess

# Where the tenants' days begin; there has been no summer time since 1991.
SHANGHAI = timezone(timedelta(hours=8))
# The bounds of the memory that counts take while they cannot be written.
MOST_NEWS = 100_000
MOST_SUMS = 50_000


class Happened(NamedTuple):
    """What a daily count counts."""

    day: date
    appid: str
    measure: str


class Failed(NamedTuple):
    """What a daily failure counts."""

    day: date
    appid: str
    cause: str


class Answered(NamedTuple):
    """What a bar of the answer times counts."""

    day: date
    appid: str
    call: str
    within_ms: int


K = TypeVar("K", bound=Happened | Failed | Answered)


class Tally(Generic[K]):
    """Counts by key. Any thread may add at any time; one at a time collects."""

    def __init__(self) -> None:
        # Appending to it is one step for the interpreter. When it is full, the oldest go.
        self._news: deque[K] = deque(maxlen=MOST_NEWS)
        self._sums: dict[K, int] = {}

    def note(self, what: K) -> None:
        self._news.append(what)

    def gather(self) -> Mapping[K, int]:
        """Add the news up; give the sums since they were last cleared."""
        for _ in range(len(self._news)):
            what = self._news.popleft()
            if what in self._sums or len(self._sums) < MOST_SUMS:
                self._sums[what] = self._sums.get(what, 0) + 1
        return self._sums

    def clear(self) -> None:
        """Reset the collected sums. Later events remain."""
        self._sums = {}


class Counts:
    """What this process has counted and not written."""

    def __init__(self) -> None:
        self.begin_writing: Callable[[], None] | None = None
        self._once = OncePerProcess(self._begin)
        self._clear()

    def _clear(self) -> None:
        self.happened: Tally[Happened] = Tally()
        self.failed: Tally[Failed] = Tally()
        self.answered: Tally[Answered] = Tally()
        self.writing = Lock()

    def _begin(self) -> None:
        self._clear()
        if self.begin_writing is not None:
            self.begin_writing()

    @property
    def has_begun(self) -> bool:
        """Return whether this process has counted anything."""
        return self._once.has_begun

    def of_this_process(self) -> "Counts":
        """Return the counters of this process. A forked process starts at zero."""
        self._once()
        return self


def counts() -> Counts:
    """Return what the running app counts with."""
    return cast(Counts, current_app.extensions["counts"]).of_this_process()


def day_of(moment: datetime) -> date:
    """Return the day of a moment as tenants read it, in Shanghai."""
    return moment.astimezone(SHANGHAI).date()


def today() -> date:
    """Return the present day in Shanghai."""
    return day_of(now())


def count(appid: str, measure: Measure, day: date | None = None) -> None:
    """Count an event of an app, today unless a day is given."""
    counts().happened.note(Happened(day or today(), appid, measure.value))


def count_failure(appid: str, code: str) -> None:
    """Count a request for an app that came to nothing, under the failure's stable code."""
    count(appid, Measure.FAILED)
    counts().failed.note(Failed(today(), appid, code))


def count_answer(appid: str, call: str, seconds: float, answered: bool) -> None:
    """Count a call to WeChat under how long it took, or among those never answered."""
    place = min(bisect_left(BOUNDS, seconds * 1000), len(BOUNDS) - 1)
    within_ms = BOUNDS[place] if answered else UNANSWERED
    counts().answered.note(Answered(today(), appid, call, within_ms))


def count_if_committed(db: Session, appid: str, measure: Measure, day: date | None = None) -> None:
    """Count an event of an app once the caller's transaction is committed."""
    on_commit(db, lambda: count(appid, measure, day))

"""Counts of this process, kept in memory until `count_writer` writes them.

Counting needs no database, no lock and no waiting (docs/decisions/0014).
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Container, Mapping
from datetime import date, datetime, timedelta, timezone
from threading import Lock
from typing import Any, Generic, NamedTuple, TypeVar, cast

from flask import current_app
from sqlalchemy.orm import Session

from app.clock import now
from app.metrics import recording
from app.metrics.definitions import (
    OTHER,
    UNANSWERED,
    UNREADABLE,
    WECHAT_CALLS,
    WECHAT_SECONDS,
)
from app.models import EVENTS, NO_ERRCODE, Measure, answer_time
from app.models.answer_time import BOUNDS
from app.services.database.transactions import on_commit
from app.services.runtime.per_process import OncePerProcess
from app.wechat import is_known_errcode

# The time zone that days are counted in. It has had no summer time since 1991.
SHANGHAI = timezone(timedelta(hours=8))
# The counts by minute are kept for a day.
MINUTES_KEPT = timedelta(days=1)
# Bounds on memory while counts cannot be written: of events not yet summed, and of sums.
MOST_NEWS = 100_000
MOST_SUMS = 50_000


class Happened(NamedTuple):
    """The key of a count of events, such as logins."""

    day: date
    appid: str
    measure: str


class Failed(NamedTuple):
    """The key of a count of failed requests. `cause` is the error code."""

    day: date
    appid: str
    cause: str


class Answered(NamedTuple):
    """The key of a count of WeChat calls with a response time in one histogram bucket.

    `within_ms` is the upper bound of the bucket, or `answer_time.UNANSWERED`.
    """

    day: date
    appid: str
    call: str
    within_ms: int


class HappenedInMinute(NamedTuple):
    """The key of a count of events in a minute, given by its beginning."""

    minute: datetime
    appid: str
    measure: str


class FailedInMinute(NamedTuple):
    """The key of a count of failed requests in a minute.

    `errcode` is NO_ERRCODE if WeChat did not report the failure. `our_ip` is this server's IP
    address as WeChat reported it, for errcodes about the address.
    """

    minute: datetime
    appid: str
    code: str
    errcode: int
    our_ip: str | None


K = TypeVar("K", bound=Happened | Failed | Answered | HappenedInMinute | FailedInMinute)


class Tally(Generic[K]):
    """Counts by key. Any thread may call `note`. Only one thread at a time may call `gather`."""

    def __init__(self) -> None:
        # Appending is atomic. Above the bound, the oldest events are dropped.
        self._news: deque[K] = deque(maxlen=MOST_NEWS)
        self.sums: dict[K, int] = {}

    def note(self, what: K) -> None:
        self._news.append(what)

    def gather(self) -> Mapping[K, int]:
        """Sum up the new events and return all sums that were not discarded."""
        for _ in range(len(self._news)):
            what = self._news.popleft()
            if what in self.sums or len(self.sums) < MOST_SUMS:
                self.sums[what] = self.sums.get(what, 0) + 1
        return self.sums

    def discard(self, appids: Container[str]) -> None:
        """Remove the sums of apps. Events noted since `gather` remain."""
        self.sums = {key: count for key, count in self.sums.items() if key.appid not in appids}


class Counts:
    """The counts that this process has not written yet."""

    def __init__(self) -> None:
        self.begin_writing: Callable[[], None] | None = None
        self._once = OncePerProcess(self._begin)
        self._clear()

    def _clear(self) -> None:
        self.happened: Tally[Happened] = Tally()
        self.failed: Tally[Failed] = Tally()
        self.answered: Tally[Answered] = Tally()
        self.happened_in_minutes: Tally[HappenedInMinute] = Tally()
        self.failed_in_minutes: Tally[FailedInMinute] = Tally()
        self.writing = Lock()
        self.minutes_dropped_at = now()

    def _begin(self) -> None:
        self._clear()
        if self.begin_writing is not None:
            self.begin_writing()

    @property
    def tallies(self) -> tuple[Tally[Any], ...]:
        """Return all counts by key."""
        by_day = (self.happened, self.failed, self.answered)
        return (*by_day, self.happened_in_minutes, self.failed_in_minutes)

    @property
    def has_begun(self) -> bool:
        """Return whether this process has counted anything."""
        return self._once.has_begun

    def of_this_process(self) -> "Counts":
        """Return the counters of this process. A forked process starts at zero."""
        self._once()
        return self


def counts() -> Counts:
    """Return the counts of this process for the running Flask app."""
    return cast(Counts, current_app.extensions["counts"]).of_this_process()


def day_of(moment: datetime) -> date:
    """Return the day of a time in Asia/Shanghai."""
    return moment.astimezone(SHANGHAI).date()


def today() -> date:
    """Return the current day in Asia/Shanghai."""
    return day_of(now())


def oldest_minute() -> datetime:
    """Return the first minute whose counts are kept."""
    return minute_of(now() - MINUTES_KEPT)


def minute_of(moment: datetime) -> datetime:
    """Return the beginning of the minute of a time."""
    return moment.replace(second=0, microsecond=0)


def count(appid: str, measure: Measure, day: date | None = None) -> None:
    """Count an event of an app. `day` is today by default."""
    moment, mine = now(), counts()
    mine.happened.note(Happened(day or day_of(moment), appid, measure.value))
    if measure in EVENTS:
        mine.happened_in_minutes.note(HappenedInMinute(minute_of(moment), appid, measure.value))


def count_failure(
    appid: str, code: str, errcode: int | None = None, our_ip: str | None = None
) -> None:
    """Count a failed request of an app by its error code and WeChat's errcode."""
    moment, mine = now(), counts()
    count(appid, Measure.FAILED)
    mine.failed.note(Failed(day_of(moment), appid, code))
    in_minute = FailedInMinute(minute_of(moment), appid, code, errcode or NO_ERRCODE, our_ip)
    mine.failed_in_minutes.note(in_minute)


def count_answer(
    appid: str, call: str, seconds: float, answered: bool, errcode: int | None = None
) -> None:
    """Count a call to WeChat in the histogram bucket of its response time, or as unanswered."""
    recording.observe(WECHAT_SECONDS, seconds, call)
    recording.count(WECHAT_CALLS, appid, call, _errcode_label(answered, errcode))
    bucket = min(bisect_left(BOUNDS, seconds * 1000), len(BOUNDS) - 1)
    within_ms = BOUNDS[bucket] if answered else answer_time.UNANSWERED
    counts().answered.note(Answered(today(), appid, call, within_ms))


def _errcode_label(answered: bool, errcode: int | None) -> str:
    """Return the label of an errcode. WeChat chooses the numbers, so unknown ones share a label."""
    if errcode is None:
        return UNREADABLE if answered else UNANSWERED
    return str(errcode) if is_known_errcode(errcode) else OTHER


def count_if_committed(db: Session, appid: str, measure: Measure, day: date | None = None) -> None:
    """Count an event of an app once the caller's transaction is committed."""
    on_commit(db, lambda: count(appid, measure, day))

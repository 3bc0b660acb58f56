"""Statistics of a tenant's apps: today and over several days, in Shanghai time.

Events of the last seconds may not be written yet.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.orm import Session

from app.models import AnswerTime, DailyCount, DailyFailure, Measure, WeChatApp
from app.models.answer_time import UNANSWERED
from app.services.apps.call_limits import call_limits
from app.services.apps.tenants import get_tenant
from app.services.database.stale_reads import CaughtUpReads
from app.services.metrics.counts import today
from app.services.tenant_admin.stale_lists import read_list
from app.services.tenant_admin.tenant_scope import TenantScope

Query = Select[*tuple[Any, ...]]
Rows = Iterable[Row[*tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Funnel:
    """The WeChat identities that first opened an app in a period, and how many became users.

    Each identity counts once, on the day it first opened the app, even if it became a user on a
    later day. So the numbers of past days can still grow.
    """

    newcomers: int
    became_users: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """The number of events of each kind. `Measure` defines the kinds."""

    opened: int = 0
    logged_in: int = 0
    known: int = 0
    logged_in_by_password: int = 0
    registered: int = 0
    phone_verified: int = 0
    bound_by_phone: int = 0
    bound_by_password: int = 0
    failed: int = 0
    newcomers: int = 0
    became_users: int = 0

    @property
    def logins(self) -> int:
        """The number of logins of every kind, by users and visitors."""
        return self.logged_in + self.logged_in_by_password

    @property
    def known_logins(self) -> int:
        """The number of logins by existing users, by code or by password."""
        return self.known + self.logged_in_by_password

    @property
    def funnel(self) -> Funnel:
        """The login funnel. `became_users` is never greater than `newcomers`.

        A process that is killed loses its unwritten counts. So a registration may be counted while
        the newcomer is missing from the counts.
        """
        return Funnel(self.newcomers, min(self.became_users, self.newcomers))


NOTHING = Numbers()


@dataclass(frozen=True, slots=True)
class AnswerTimes:
    """WeChat's response times for one kind of call: median and 95th percentile in ms.

    Calls without a response (timeout, broken connection) count in `unanswered` only.
    """

    call: str
    answers: int
    unanswered: int
    p50_ms: int | None
    p95_ms: int | None


@dataclass(frozen=True, slots=True)
class Span:
    """The totals of one or more days. Failures are by stable code, the most frequent first."""

    numbers: Numbers
    failures: Mapping[str, int]
    answer_times: Sequence[AnswerTimes]


@dataclass(frozen=True, slots=True)
class WeChatCalls:
    """The WeChat calls of an app in the current process. Each process counts its own."""

    in_flight: int
    limit: int
    is_circuit_open: bool


@dataclass(frozen=True, slots=True)
class AppNumbers:
    """The numbers of one app: today, and in the whole period."""

    appid: str
    name: str
    today: Numbers
    whole: Numbers
    wechat_calls: WeChatCalls


@dataclass(frozen=True, slots=True)
class Overview:
    """Totals of today and of the period, per day, and per app ordered by name."""

    today: Span
    whole: Span
    days: Mapping[date, Numbers]
    apps: Sequence[AppNumbers]


def get_overview(scope: TenantScope, days: int = 30) -> Overview:
    """Return the statistics of a tenant's apps for the last `days` days, including today."""
    return read_list(scope.actor, scope.tenant_id, lambda db: _overview(db, scope.tenant_id, days))


def get_overview_of(tenant_slug: str, days: int = 30) -> Overview:
    """Return what `get_overview` returns, for a tenant slug. Raise TenantUnknown."""
    return CaughtUpReads().read(lambda db: _overview(db, get_tenant(db, tenant_slug).id, days))


def _overview(db: Session, tenant_id: UUID, days: int) -> Overview:
    last = today()
    dates = [last - timedelta(days=ago) for ago in reversed(range(days))]
    of_days = _numbers_by(DailyCount.day, db, tenant_id, dates)
    failures = db.execute(_failures(tenant_id, dates)).all()
    bars = db.execute(_bars(tenant_id, dates)).all()
    whole = _together(of_days.values())
    return Overview(
        Span(of_days.get(last, NOTHING), _failures_of(failures, 0), _answer_times_of(bars, 0)),
        Span(whole, _failures_of(failures, 1), _answer_times_of(bars, 1)),
        {day: of_days.get(day, NOTHING) for day in dates},
        _of_apps(db, tenant_id, dates),
    )


def _numbers_by(
    key: Any, db: Session, tenant_id: UUID, dates: Sequence[date]
) -> Mapping[Any, Numbers]:
    sums = (func.sum(getattr(DailyCount, measure)) for measure in Measure)
    wanted = _of_dates(select(key, *sums), DailyCount, tenant_id, dates).group_by(key)
    return {of: Numbers(*numbers) for of, *numbers in db.execute(wanted)}


def _of_apps(db: Session, tenant_id: UUID, dates: Sequence[date]) -> Sequence[AppNumbers]:
    """Return the numbers of every app of the tenant, including apps without events."""
    of_today = _numbers_by(DailyCount.appid, db, tenant_id, dates[-1:])
    whole = _numbers_by(DailyCount.appid, db, tenant_id, dates)
    columns = (WeChatApp.appid, WeChatApp.name, WeChatApp.wechat_call_limit)
    of_tenant = select(*columns).where(WeChatApp.tenant_id == tenant_id)
    return [
        AppNumbers(
            appid,
            name,
            of_today.get(appid, NOTHING),
            whole.get(appid, NOTHING),
            _wechat_calls(appid, call_limit),
        )
        for appid, name, call_limit in db.execute(
            of_tenant.order_by(WeChatApp.name, WeChatApp.appid)
        )
    ]


def _wechat_calls(appid: str, call_limit: int | None) -> WeChatCalls:
    limits = call_limits()
    limit = limits.per_app if call_limit is None else call_limit
    return WeChatCalls(limits.in_flight(appid), limit, limits.is_open(appid))


def _failures(tenant_id: UUID, dates: Sequence[date]) -> Query:
    one = DailyFailure
    wanted = select(one.cause, *_sums(one, dates)).group_by(one.cause).order_by(one.cause)
    return _of_dates(wanted, one, tenant_id, dates)


def _bars(tenant_id: UUID, dates: Sequence[date]) -> Query:
    """Select the histograms of response times, from the fastest bar to the slowest."""
    one, bar = AnswerTime, (AnswerTime.call, AnswerTime.within_ms)
    wanted = select(*bar, *_sums(one, dates)).group_by(*bar).order_by(*bar)
    return _of_dates(wanted, one, tenant_id, dates)


def _sums(one: Any, dates: Sequence[date]) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """Return the sums for the last date and for all dates."""
    whole = func.sum(one.count)
    return func.coalesce(whole.filter(one.day == dates[-1]), 0), whole


def _of_dates(wanted: Query, one: Any, tenant_id: UUID, dates: Sequence[date]) -> Query:
    return wanted.where(one.tenant_id == tenant_id, one.day.between(dates[0], dates[-1]))


def _together(numbers: Iterable[Numbers]) -> Numbers:
    return Numbers(*map(sum, zip(*map(astuple, [NOTHING, *numbers]), strict=True)))


def _failures_of(rows: Rows, span: int) -> Mapping[str, int]:
    failures = Counter({cause: sums[span] for cause, *sums in rows if sums[span]})
    return dict(failures.most_common())


def _answer_times_of(rows: Rows, span: int) -> Sequence[AnswerTimes]:
    bars: dict[str, dict[int, int]] = defaultdict(dict)
    for call, within_ms, *sums in rows:
        if sums[span]:
            bars[call][within_ms] = sums[span]
    return [_answer_times(call, of_call) for call, of_call in bars.items()]


def _answer_times(call: str, bars: Mapping[int, int]) -> AnswerTimes:
    answered = {within: count for within, count in bars.items() if within != UNANSWERED}
    quantiles = (_quantile(answered, percent) for percent in (50, 95))
    return AnswerTimes(call, sum(answered.values()), bars.get(UNANSWERED, 0), *quantiles)


def _quantile(bars: Mapping[int, int], percent: int) -> int | None:
    """Return the upper bound of the bar that holds the percentile, or None without answers."""
    wanted, reached = sum(bars.values()) * percent, 0
    for within_ms, count in bars.items():
        reached += count * 100
        if reached >= wanted:
            return within_ms
    return None

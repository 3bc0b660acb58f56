"""What a tenant's apps have been doing: today, and over some days, as days are in Shanghai.

What happened in the last seconds may not be written yet.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, func, select, tuple_
from sqlalchemy.orm import Session

from app.models import AnswerTime, DailyCount, Measure, WeChatApp
from app.models.answer_time import UNANSWERED
from app.services.counts import today
from app.services.tenants import get_tenant
from app.services.transactions import transaction

Query = Select[*tuple[Any, ...]]
Rows = Iterable[Row[*tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Funnel:
    """From opening an app to being its tenant's user, by WeChat: each step a part of the last.

    Who is known already is logged in and needs no phone, so the third step is far below the
    second, and only `known` explains by how much. Logins by password are no part of it, nor are
    those whom a password or a sister app's unionid binds: they skip the phone. Two things make a
    step larger than the last: somebody who taps the phone button twice in one login, and midnight.
    """

    opened: int
    logged_in: int
    known: int
    phone_verified: int
    bound: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """How often what happened, by `Measure`."""

    of: Mapping[str, int]

    @property
    def logins(self) -> int:
        return self.of.get(Measure.LOGGED_IN, 0) + self.of.get(Measure.LOGGED_IN_BY_PASSWORD, 0)

    @property
    def new_users(self) -> int:
        return self.of.get(Measure.REGISTERED, 0)

    @property
    def bound_phones(self) -> int:
        return self.of.get(Measure.BOUND_BY_PHONE, 0)

    @property
    def failures(self) -> int:
        return self.of.get(Measure.FAILED, 0)

    @property
    def funnel(self) -> Funnel:
        wechat = (Measure.OPENED, Measure.LOGGED_IN, Measure.KNOWN)
        phone = (Measure.PHONE_VERIFIED, Measure.BOUND_BY_PHONE)
        return Funnel(*(self.of.get(step, 0) for step in wechat + phone))


@dataclass(frozen=True, slots=True)
class AnswerTimes:
    """How fast WeChat answered one kind of call: half, and 95 of 100, within so many ms.

    Those never answered, for a timeout or a broken connection, count in `unanswered` only.
    """

    call: str
    answers: int
    unanswered: int
    p50_ms: int | None
    p95_ms: int | None


@dataclass(frozen=True, slots=True)
class Span:
    """Some days together, or one; failures by their stable code, the most frequent first."""

    numbers: Numbers
    failures: Mapping[str, int]
    answer_times: Sequence[AnswerTimes]


@dataclass(frozen=True, slots=True)
class AppNumbers:
    """One app's share."""

    appid: str
    name: str
    today: Numbers
    whole: Numbers


@dataclass(frozen=True, slots=True)
class Overview:
    """Today, all the days up to today together, each of them, and each app, by its name."""

    today: Span
    whole: Span
    days: Mapping[date, Numbers]
    apps: Sequence[AppNumbers]


def get_overview(tenant_id: UUID, days: int = 30) -> Overview:
    """Sum up what happened in a tenant's apps today and over as many days, today the last."""
    with transaction() as db:
        return _overview(db, tenant_id, days)


def get_overview_of(tenant_slug: str, days: int = 30) -> Overview:
    """Do as `get_overview` does, for operators; raise TenantUnknown."""
    with transaction() as db:
        return _overview(db, get_tenant(db, tenant_slug).id, days)


def _overview(db: Session, tenant_id: UUID, days: int) -> Overview:
    last = today()
    dates = [last - timedelta(days=ago) for ago in reversed(range(days))]
    counted = db.execute(_counted(tenant_id, dates)).all()
    of_days = [row for row in counted if row.day is not None]
    answered = db.execute(_answered(tenant_id, dates)).all()
    of_apps = [row for row in counted if row.day is None]
    apps = db.execute(_apps(tenant_id)).all()
    return Overview(
        _span((row for row in of_days if row.day == last), answered, "today"),
        _span(of_days, answered, "whole"),
        _by_day(of_days, dates),
        _by_app(of_apps, apps),
    )


def _counted(tenant_id: UUID, dates: Sequence[date]) -> Query:
    """Select the sums by day, measure and cause and, without a day, those by app and measure."""
    one, measure = DailyCount, DailyCount.measure
    by_day, by_app = tuple_(one.day, measure, one.cause), tuple_(one.appid, measure)
    sums = _sums(one.count, one.day == dates[-1])
    wanted = select(one.day, one.appid, measure, one.cause, *sums)
    mine = wanted.where(one.tenant_id == tenant_id, one.day.between(dates[0], dates[-1]))
    return mine.group_by(func.grouping_sets(by_day, by_app))


def _answered(tenant_id: UUID, dates: Sequence[date]) -> Query:
    """Select the histograms of the calls, slower bars after faster ones."""
    one, bar = AnswerTime, (AnswerTime.call, AnswerTime.within_ms)
    wanted = select(*bar, *_sums(one.count, one.day == dates[-1]))
    mine = wanted.where(one.tenant_id == tenant_id, one.day.between(dates[0], dates[-1]))
    return mine.group_by(*bar).order_by(*bar)


def _sums(count: Any, is_today: ColumnElement[bool]) -> tuple[ColumnElement[int], ...]:
    whole = func.sum(count)
    of_today = func.coalesce(func.sum(count).filter(is_today), 0)
    return whole.label("whole"), of_today.label("today")


def _apps(tenant_id: UUID) -> Query:
    mine = select(WeChatApp.appid, WeChatApp.name).where(WeChatApp.tenant_id == tenant_id)
    return mine.order_by(WeChatApp.name, WeChatApp.appid)


def _span(rows: Rows, answered: Rows, when: str) -> Span:
    numbers: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    for row in rows:
        numbers[row.measure] += row.whole
        if row.cause:
            failures[row.cause] += row.whole
    bars: dict[str, dict[int, int]] = defaultdict(dict)
    for row in answered:
        bars[row.call][row.within_ms] = getattr(row, when)
    times = [_answer_times(call, of_call) for call, of_call in bars.items()]
    return Span(Numbers(numbers), dict(failures.most_common()), times)


def _answer_times(call: str, bars: Mapping[int, int]) -> AnswerTimes:
    answered = {within: count for within, count in bars.items() if within != UNANSWERED}
    quantiles = (_quantile(answered, part) for part in (50, 95))
    return AnswerTimes(call, sum(answered.values()), bars.get(UNANSWERED, 0), *quantiles)


def _quantile(bars: Mapping[int, int], percent: int) -> int | None:
    """Give the bound below which so many of a hundred are; None when there are none at all."""
    wanted, reached = sum(bars.values()) * percent, 0
    for within_ms, count in bars.items():
        reached += count * 100
        if count and reached >= wanted:
            return within_ms
    return None


def _by_day(rows: Rows, dates: Iterable[date]) -> Mapping[date, Numbers]:
    of: dict[date, Counter[str]] = {day: Counter() for day in dates}
    for row in rows:
        of[row.day][row.measure] += row.whole
    return {day: Numbers(numbers) for day, numbers in of.items()}


def _by_app(rows: Rows, apps: Rows) -> Sequence[AppNumbers]:
    now: dict[str, dict[str, int]] = defaultdict(dict)
    whole: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        now[row.appid][row.measure], whole[row.appid][row.measure] = row.today, row.whole
    return [
        AppNumbers(appid, name, Numbers(now[appid]), Numbers(whole[appid])) for appid, name in apps
    ]

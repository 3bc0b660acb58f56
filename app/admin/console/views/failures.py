"""Pages of failing mini-programs, of a tenant and of all tenants."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import render_template, request
from flask.typing import ResponseReturnValue

from app.admin.console.charts import Bar, bars, percent
from app.admin.console.page_access import require_platform_admin
from app.admin.console.page_scope import signed_in, this_tenant_scope
from app.admin.console.pages import own_pages, tenant_pages
from app.admin.console.times import time_zone
from app.i18n_marker import N_
from app.services.failures.causes import find_cause
from app.services.failures.failing import FailingApp, FailureReport
from app.services.failures.rule import Minute
from app.services.tenant_admin.failures import get_all_failures, get_failures


@dataclass(frozen=True, slots=True)
class Period:
    """A period that the page offers: its label, its length, and the length of a chart's step."""

    label: str
    length: timedelta
    step: timedelta


PERIODS: Mapping[str, Period] = {
    "10m": Period(N_("10 minutes"), timedelta(minutes=10), timedelta(minutes=1)),
    "1h": Period(N_("1 hour"), timedelta(hours=1), timedelta(minutes=1)),
    "6h": Period(N_("6 hours"), timedelta(hours=6), timedelta(minutes=10)),
    "24h": Period(N_("24 hours"), timedelta(hours=24), timedelta(minutes=30)),
}
USUAL = "1h"
# Above this number, the page would be too large. The command `tenants failing` lists all.
MOST_SHOWN = 50


@dataclass(frozen=True, slots=True)
class ShownApp:
    """A failing app with the age of its failures, and the contents of its chart and table."""

    app: FailingApp
    minutes_ago: int
    bars: Sequence[Bar[str]]
    rows: Sequence[Minute]


pages = tenant_pages("failures", "failures")
platform_pages = own_pages("all_failures", "failures", require_platform_admin)


@pages.route("/")
def index() -> ResponseReturnValue:
    """Show which mini-programs fail, since when, why and what to do."""
    chosen = _chosen()
    return _show(chosen, get_failures(this_tenant_scope(), PERIODS[chosen].length))


def _show(chosen: str, report: FailureReport) -> ResponseReturnValue:
    return render_template(
        "console/failures.html",
        report=report,
        periods=PERIODS,
        chosen=chosen,
        failing=[_shown(one, report, chosen) for one in report.failing[:MOST_SHOWN]],
        others=_others(report),
        percent=percent,
        is_platform=request.blueprint == platform_pages.name,
    )


@platform_pages.route("/", endpoint="index")
def platform_index() -> ResponseReturnValue:
    """Show which mini-programs of all tenants fail, since when, why and what to do."""
    chosen = _chosen()
    return _show(chosen, get_all_failures(signed_in().actor, PERIODS[chosen].length))


def _chosen() -> str:
    """Return the period in the query string, or the usual one if it is missing or unknown."""
    wanted = request.args.get("period", "")
    return wanted if wanted in PERIODS else USUAL


def _shown(app: FailingApp, report: FailureReport, chosen: str) -> ShownApp:
    step = PERIODS[chosen].step
    rows = list(_steps(app.minutes, report.since, report.until, step))
    numbers = {f"{one.minute.astimezone(time_zone()):%m-%d %H:%M}": one.failures for one in rows}
    minutes_ago = (report.until - app.first_at) // timedelta(minutes=1)
    used = [one for one in rows if one.failures or one.logins]
    return ShownApp(app, minutes_ago, bars(numbers), used)


def _steps(
    minutes: Sequence[Minute], since: datetime, until: datetime, step: timedelta
) -> Iterator[Minute]:
    """Yield the sums of each step of the period, also of steps without logins."""
    begin = since
    while begin < until:
        inside = [one for one in minutes if begin <= one.minute < begin + step]
        failures, logins = sum(one.failures for one in inside), sum(one.logins for one in inside)
        yield Minute(begin, failures, logins)
        begin += step


def _others(report: FailureReport) -> Sequence[tuple[str, str, int]]:
    """Return code, reason and number of the failed logins, the most frequent first."""
    causes = {code: find_cause(code) for code in report.failures}
    return [
        (code, cause.why, report.failures[code])
        for code, cause in causes.items()
        if cause is not None
    ]

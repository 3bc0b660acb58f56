"""Home page of a tenant, with login statistics."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from flask import render_template
from flask.typing import ResponseReturnValue

from app.admin.console.charts import Bar, bars, percent
from app.admin.console.page_scope import this_tenant_scope
from app.admin.console.pages import tenant_pages
from app.errors import FAILURES
from app.i18n_marker import N_
from app.problems import message_on_page
from app.services.tenant_admin.overview import (
    AnswerTimes,
    AppNumbers,
    Numbers,
    Overview,
    Span,
    get_overview,
)

DAYS = 30
# Attributes of `Numbers` and their labels, in the order of the page.
FIGURES = {
    "logins": N_("Logins"),
    "registered": N_("New users"),
    "bound_by_phone": N_("Bound by phone"),
    "failed": N_("Failures"),
}
STEPS = {
    "newcomers": N_("New visitors"),
    "became_users": N_("Became users"),
}
CALLS = {
    "login": N_("Login (code2Session)"),
    "phone": N_("Phone number"),
    "token": N_("Access token"),
}
# The maximum number of error codes in the failure chart. The table shows all.
MOST_DRAWN = 8
MOST_APPS = 50


@dataclass(frozen=True, slots=True)
class Cause:
    """Number of failures with one error code, today and in 30 days, with its message."""

    code: str
    message: str
    today: int
    whole: int


@dataclass(frozen=True, slots=True)
class CallTimes:
    """Response times of one kind of WeChat call, today and in 30 days."""

    call: str
    label: str
    today: AnswerTimes | None
    whole: AnswerTimes


pages = tenant_pages("home", "")


@pages.route("/")
def index() -> ResponseReturnValue:
    """Show charts and tables of logins, the login funnel, failures and response times."""
    overview = get_overview(this_tenant_scope(), DAYS)
    return render_template(
        "console/home.html",
        overview=overview,
        figures=FIGURES,
        steps=STEPS,
        daily=_daily(overview),
        funnels=[_funnel(span.numbers) for span in (overview.today, overview.whole)],
        causes=(causes := _causes(overview)),
        cause_bars=bars({one: one.whole for one in causes[:MOST_DRAWN]}),
        calls=_calls(overview),
        busiest=_busiest(overview.apps),
        percent=percent,
    )


def _daily(overview: Overview) -> Mapping[str, Sequence[Bar[str]]]:
    """Return the bars of one chart per figure, with one bar per day."""
    return {
        name: bars({f"{day:%m-%d}": getattr(of_day, name) for day, of_day in overview.days.items()})
        for name in FIGURES
    }


def _funnel(numbers: Numbers) -> Sequence[Bar[str]]:
    steps = asdict(numbers.funnel)
    return bars({name: steps[name] for name in STEPS})


def _causes(overview: Overview) -> Sequence[Cause]:
    return [
        Cause(code, _message(code), overview.today.failures.get(code, 0), count)
        for code, count in overview.whole.failures.items()
    ]


def _message(code: str) -> str:
    failure = FAILURES.get(code)
    return message_on_page(failure()) if failure else ""


def _calls(overview: Overview) -> Sequence[CallTimes]:
    today = _by_call(overview.today)
    return [
        CallTimes(call, CALLS.get(call, call), today.get(call), times)
        for call, times in _by_call(overview.whole).items()
    ]


def _busiest(apps: Sequence[AppNumbers]) -> Sequence[AppNumbers]:
    """Return the 50 apps with the most logins. A tenant may have thousands of apps."""
    return sorted(apps, key=lambda app: app.whole.logins, reverse=True)[:MOST_APPS]


def _by_call(span: Span) -> Mapping[str, AnswerTimes]:
    return {one.call: one for one in span.answer_times}

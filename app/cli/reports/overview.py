"""Output rows of the command `tenants overview`."""

from collections.abc import Iterator
from dataclasses import astuple

from app.services.tenant_admin.overview import Numbers, Overview, Span

HEADER = (
    *("", "", "logins", "new_users", "phones_bound", "failures"),
    *("newcomers", "became_users", "known_logins"),
)


def rows_of(overview: Overview, days: int) -> Iterator[tuple[object, ...]]:
    """Yield the output rows. The first column is total, day, app, failure or wechat."""
    last = f"{days} days"
    yield HEADER
    yield "total", "today", *_columns(overview.today.numbers)
    yield "total", last, *_columns(overview.whole.numbers)
    for day, numbers in overview.days.items():
        yield "day", day, *_columns(numbers)
    for app in overview.apps:
        yield "app", f"{app.appid} today", *_columns(app.today)
        yield "app", f"{app.appid} {last}", *_columns(app.whole)
    yield from _details(overview.today, "today")
    yield from _details(overview.whole, last)


def _columns(numbers: Numbers) -> tuple[int, ...]:
    told = (numbers.logins, numbers.registered, numbers.bound_by_phone, numbers.failed)
    return (*told, *astuple(numbers.funnel), numbers.known_logins)


def _details(span: Span, when: str) -> Iterator[tuple[object, ...]]:
    for code, how_often in span.failures.items():
        yield "failure", when, code, how_often
    for times in span.answer_times:
        told = (f"answers={times.answers}", f"unanswered={times.unanswered}")
        within = (
            f"p50_ms={_number_or_dash(times.p50_ms)}",
            f"p95_ms={_number_or_dash(times.p95_ms)}",
        )
        yield "wechat", when, times.call, *told, *within


def _number_or_dash(milliseconds: int | None) -> object:
    return "-" if milliseconds is None else milliseconds

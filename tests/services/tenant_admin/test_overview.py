"""The overview of a tenant: sums, isolation between tenants, and number of SQL statements."""

import time
from datetime import timedelta

import pytest
from flask import Flask

from app.models import Measure
from app.services.metrics import counts as counting
from app.services.metrics.count_writer import write_counts
from app.services.metrics.counts import Counts, count, count_answer, count_failure, today
from app.services.tenant_admin.overview import Funnel, Overview, get_overview
from tests.fixtures.operators import tenant_scope_of
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, GLOBEX_LIFE, App, Reader

NEWCOMER = (Measure.OPENED, Measure.LOGGED_IN, Measure.NEWCOMERS)
BOUND = (Measure.PHONE_VERIFIED, Measure.BOUND_BY_PHONE, Measure.BECAME_USERS)
RETURNED = (Measure.OPENED, Measure.LOGGED_IN, Measure.KNOWN)


class DailyCounts:
    """Records counts on given days, and reads the overview."""

    def __init__(self, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        self.app, self.monkeypatch, self.now = app, monkeypatch, counting.now()
        monkeypatch.setitem(app.extensions, "counts", Counts())

    def happened(self, *measures: Measure, app: App = ACME_SHOP, ago: int = 0) -> None:
        self._at(ago)
        with self.app.app_context():
            for measure in measures:
                count(app.appid, measure)

    def failed(self, *codes: str, app: App = ACME_SHOP, ago: int = 0) -> None:
        self._at(ago)
        with self.app.app_context():
            for code in codes:
                count_failure(app.appid, code)

    def answered(self, *seconds: float, app: App = ACME_SHOP, ago: int = 0) -> None:
        """Count login calls to WeChat with these durations. From 9 s on, a call is unanswered."""
        self._at(ago)
        with self.app.app_context():
            for took in seconds:
                count_answer(app.appid, "login", took, took < 9)

    def overview(self, tenant: str = "acme", days: int = 30) -> Overview:
        self._at(0)
        with self.app.app_context():
            write_counts()
            return get_overview(tenant_scope_of(self.app, tenant), days)

    def _at(self, ago: int) -> None:
        moment = self.now - timedelta(days=ago)
        self.monkeypatch.setattr(counting, "now", lambda: moment)


@pytest.fixture
def days(app: Flask, monkeypatch: pytest.MonkeyPatch) -> DailyCounts:
    """Return a `DailyCounts` without any counts."""
    return DailyCounts(app, monkeypatch)


def test_overview_sums_the_counts_of_today_and_of_the_whole_period(days: DailyCounts) -> None:
    days.happened(*NEWCOMER, *BOUND, *RETURNED, Measure.REGISTERED)
    days.happened(*NEWCOMER, Measure.LOGGED_IN_BY_PASSWORD, app=ACME_CLUB, ago=29)
    days.happened(*NEWCOMER, *BOUND, ago=30)
    overview = days.overview()
    now, whole = overview.today.numbers, overview.whole.numbers
    assert (now.logins, now.registered, now.bound_by_phone, now.failed) == (2, 1, 1, 0)
    assert (whole.logins, whole.registered, whole.bound_by_phone) == (4, 1, 1)
    assert (now.known_logins, whole.known_logins) == (1, 2)
    assert (now.funnel, whole.funnel) == (Funnel(1, 1), Funnel(2, 1))


def test_funnel_shows_no_more_new_users_than_newcomers(days: DailyCounts) -> None:
    """A killed process may lose the count of a newcomer, but not that of the new user."""
    days.happened(*BOUND, *BOUND)
    days.happened(*NEWCOMER, ago=1)
    overview = days.overview()
    assert (overview.today.numbers.funnel, overview.whole.numbers.funnel) == (
        Funnel(0, 0),
        Funnel(1, 1),
    )


def test_overview_lists_every_day_of_the_period_in_order(days: DailyCounts) -> None:
    days.happened(Measure.LOGGED_IN, ago=2)
    days.happened(Measure.LOGGED_IN, Measure.LOGGED_IN)
    shown = days.overview(days=4).days
    assert list(shown) == [today() - timedelta(days=ago) for ago in (3, 2, 1, 0)]
    assert [numbers.logins for numbers in shown.values()] == [0, 1, 0, 2]


def test_overview_lists_every_app_with_its_own_counts(days: DailyCounts) -> None:
    days.happened(Measure.LOGGED_IN, app=ACME_CLUB, ago=1)
    days.happened(Measure.LOGGED_IN, Measure.LOGGED_IN, app=ACME_CLUB)
    days.failed("code_invalid")
    apps = {app.appid: app for app in days.overview().apps}
    assert len(apps) == 3
    club, shop = apps[ACME_CLUB.appid], apps[ACME_SHOP.appid]
    assert (club.today.logins, club.whole.logins, club.whole.failed) == (2, 3, 0)
    assert (shop.today.logins, shop.today.failed) == (0, 1)


def test_overview_lists_failures_by_cause_with_the_most_frequent_first(days: DailyCounts) -> None:
    days.failed("code_invalid", "phone_taken", "code_invalid")
    days.failed("wechat_unavailable", "wechat_unavailable", "wechat_unavailable", ago=3)
    overview = days.overview()
    assert overview.today.failures == {"code_invalid": 2, "phone_taken": 1}
    causes = ["wechat_unavailable", "code_invalid", "phone_taken"]
    assert list(overview.whole.failures) == causes
    assert overview.whole.numbers.failed == 6


def test_overview_shows_p50_and_p95_of_wechat_response_times(days: DailyCounts) -> None:
    days.answered(*[0.09] * 50, *[0.18] * 44, *[2.5] * 6)
    days.answered(*[0.02] * 100, 10, ago=1)
    overview = days.overview()
    (now,), (whole,) = overview.today.answer_times, overview.whole.answer_times
    assert (now.call, now.answers, now.unanswered) == ("login", 100, 0)
    assert (now.p50_ms, now.p95_ms) == (100, 3000)
    assert (whole.answers, whole.unanswered, whole.p50_ms, whole.p95_ms) == (200, 1, 25, 200)


def test_overview_shows_no_response_times_if_wechat_answered_no_call(days: DailyCounts) -> None:
    days.answered(10)
    (times,) = days.overview().today.answer_times
    assert (times.answers, times.unanswered, times.p50_ms, times.p95_ms) == (0, 1, None, None)


def test_overview_excludes_counts_of_another_tenant(days: DailyCounts) -> None:
    untouched = days.overview()
    days.happened(*Measure.__members__.values(), app=GLOBEX_LIFE)
    days.failed("code_invalid", app=GLOBEX_LIFE)
    days.answered(0.1, app=GLOBEX_LIFE)
    assert days.overview() == untouched
    assert [app.appid for app in days.overview("globex").apps] == [GLOBEX_LIFE.appid]
    assert days.overview("globex").today.numbers.logins == 2


def test_tenants_overview_command_prints_the_overview_in_columns(
    days: DailyCounts, app: Flask
) -> None:
    days.happened(*NEWCOMER, *NEWCOMER, *BOUND, *RETURNED)
    days.failed("code_invalid", ago=1)
    days.answered(0.09, 10)
    days.overview()
    printed = app.test_cli_runner().invoke(args=["tenants", "overview", "acme", "--days", "2"])
    lines = [line.split("\t") for line in printed.output.splitlines()]
    assert printed.exit_code == 0
    assert lines[0][2:6] == ["logins", "new_users", "phones_bound", "failures"]
    assert lines[0][6:] == ["newcomers", "became_users", "known_logins"]
    assert {len(line) for line in lines if line[0] in ("", "total", "day", "app")} == {9}
    assert ["total", "today", *"3010211"] in lines
    assert ["total", "2 days", *"3011211"] in lines
    assert ["app", f"{ACME_SHOP.appid} 2 days", *"3011211"] in lines
    assert ["day", str(today() - timedelta(days=1)), *"0001000"] in lines
    assert ["failure", "2 days", "code_invalid", "1"] in lines
    times = ["login", "answers=1", "unanswered=1", "p50_ms=100", "p95_ms=100"]
    assert ["wechat", "today", *times] in lines


@pytest.mark.parametrize(("slug", "days"), [("nobody", "30"), ("acme", "0"), ("acme", "401")])
def test_tenants_overview_command_refuses_an_unknown_tenant_or_invalid_period(
    slug: str, days: str, app: Flask
) -> None:
    command = ["tenants", "overview", slug, "--days", days]
    assert app.test_cli_runner().invoke(args=command).exit_code != 0


@pytest.mark.slow
def test_overview_of_two_thousand_apps_takes_six_statements(
    days: DailyCounts, rows: Reader, app: Flask, statements: list[str]
) -> None:
    """The limit is on CPU time, which does not depend on other processes."""
    fill(rows, apps=2000)
    scope = tenant_scope_of(app)
    took = []
    with app.app_context():
        for _ in range(3):
            statements.clear()
            began = time.process_time()
            overview = get_overview(scope)
            took.append(time.process_time() - began)
    assert len(statements) == 6
    assert all("tenant_id = " in statement for statement in statements)
    assert len(overview.apps) == 2003
    assert min(took) < 0.3, took


def fill(rows: Reader, apps: int) -> None:
    """Insert counts, failures and response times of many apps, on thirty days each."""
    rows(
        "SET LOCAL session_replication_role = replica"
    )  # Checking foreign keys would take longer than writing the rows.
    rows(
        "INSERT INTO wechat_apps (appid, tenant_id, name, secret_sealed)"
        " SELECT 'wxmany' || n, id, 'Many ' || n, '' FROM tenants, generate_series(1, :apps) n"
        " WHERE slug = 'acme'",
        apps=apps,
    )
    sevens = ", ".join("7" for _ in Measure)
    causes = "unnest(ARRAY['code_invalid', 'phone_taken', 'token_invalid'])"
    for table, columns, values in (
        ("daily_counts", ", ".join(Measure), sevens),
        ("daily_failures", "cause, count", f"{causes}, 7"),
        ("answer_times", "call, within_ms, count", "'login', unnest(ARRAY[100, 150, 200]), 7"),
    ):
        rows(
            f"INSERT INTO {table} (tenant_id, day, appid, {columns})"
            f" SELECT tenant_id, cast(:today AS date) - ago, appid, {values}"
            " FROM wechat_apps, generate_series(0, 29) ago WHERE appid LIKE 'wxmany%'",
            today=today(),
        )
        rows(f"ANALYZE {table}")

"""The home page of a tenant, with its statistics."""

import re

import pytest
from flask import Flask

from app.admin.console.charts import bars, percent
from app.models import Measure
from app.services.metrics import counts
from app.services.metrics.count_writer import write_counts
from app.services.metrics.counts import Counts, count, count_answer, count_failure
from tests.admin.console.browser import signed_in
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, GLOBEX_LIFE, Reader

# Two new visitors, one of them becomes a user, and three logins of existing users.
EVENTS = (
    *([Measure.NEWCOMERS, Measure.LOGGED_IN] * 2),
    *(Measure.REGISTERED, Measure.BOUND_BY_PHONE, Measure.BECAME_USERS),
    *([Measure.LOGGED_IN, Measure.KNOWN] * 2),
    Measure.LOGGED_IN_BY_PASSWORD,
)


@pytest.fixture
def busy_day(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write counts of today for both tenants."""
    monkeypatch.setitem(app.extensions, "counts", Counts())
    moment = counts.now()
    monkeypatch.setattr(
        counts, "now", lambda: moment
    )  # A test run across midnight would count on two days.
    with app.app_context():
        for measure in EVENTS:
            count(ACME_SHOP.appid, measure)
        for _ in range(3):
            count_failure(ACME_CLUB.appid, "code_invalid")
        count_answer(ACME_SHOP.appid, "login", 0.09, True)
        count_failure(GLOBEX_LIFE.appid, "phone_taken")
        write_counts()


def text_of(page: str) -> str:
    """Return the visible text of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def test_the_overview_shows_the_statistics_of_the_operators_own_tenant(
    app: Flask, busy_day: None
) -> None:
    page = signed_in(app).get("/").text
    text = text_of(page)
    assert "Logins Today 5 30 days 5" in text
    assert "New users Today 1 30 days 1" in text
    assert "Failures Today 3 30 days 3" in text
    assert "Login funnel Today New visitors 2 100% Became users 1 50%" in text
    assert "Logins of known users: 3 today, 3 in 30 days" in text
    assert 'aria-label="Became users: 1"' in page
    assert "code_invalid 3" in text
    assert "Login (code2Session) 100 ms 100 ms 100 ms 100 ms 1 0" in text
    assert f"{ACME_SHOP.appid} 0 / 100 5 5 1 1 0" in text
    assert "phone_taken" not in text
    assert GLOBEX_LIFE.appid not in text


def test_every_chart_of_the_overview_has_a_label_and_a_table(app: Flask, busy_day: None) -> None:
    page = signed_in(app).get("/").text
    charts = re.findall(r"<svg(?! class=\"icon)[^>]*>", page)
    assert len(charts) == 4 + 4 + 1
    assert all('role="img" aria-label="' in chart for chart in charts)
    assert page.count("<details>") + page.count('<details class="card') == 3
    days = re.findall(r'<tr><th scope="row">\d{4}-\d\d-\d\d</th>', page)
    assert len(days) == 30


def test_the_overview_of_a_tenant_without_events_shows_zeros(app: Flask) -> None:
    browser = signed_in(app)
    text = text_of(browser.get("/").text)
    assert "No failures." in text
    assert "No calls to WeChat." in text
    assert "New visitors 0 Became users 0" in text


def test_the_overview_of_a_tenant_without_apps_says_that_there_are_none(
    app: Flask, rows: Reader
) -> None:
    browser = signed_in(app, role="platform")
    browser.post("/tenants/add", slug="initech", name="Initech")
    browser.tenant = "initech"
    assert "This tenant has no mini-program yet." in browser.get("/").text


def test_the_overview_is_shown_in_chinese_if_the_browser_prefers_it(
    app: Flask, busy_day: None
) -> None:
    browser = signed_in(app)
    browser.headers["Accept-Language"] = "zh"
    text = text_of(browser.get("/").text)
    assert "今天 5 30 天 5" in text
    assert "登录转化 今天 新访客 2 100% 成为用户 1 50%" in text
    assert "已有用户登录：今天 3 次，30 天 3 次" in text
    assert "p95" in text
    assert "%%" not in text


def test_chart_bars_are_scaled_to_the_largest_value() -> None:
    measured = bars({"a": 0, "b": 1, "c": 1000, "d": 500})
    assert [one.size for one in measured] == [0, 1.5, 100, 50]
    assert [one.x for one in measured] == [0, 25, 50, 75]
    assert bars({}) == []
    assert [one.size for one in bars({"a": 0})] == [0]
    assert (percent(1, 3), percent(1, 0)) == (33, None)

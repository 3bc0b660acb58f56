"""The pages of failing mini-programs, of a tenant and of all tenants."""

import re

import pytest
from flask import Flask

from app.admin.console.times import exact_time, local_time
from tests.admin.console.browser import Browser, TenantConsole, signed_in
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, GLOBEX_LIFE
from tests.services.failures.minutes import Minutes

ALL = "/console/failures/"


@pytest.fixture
def minutes(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Minutes:
    return Minutes(app, monkeypatch)


@pytest.fixture
def failing(minutes: Minutes) -> Minutes:
    """An app of acme with an IP address that is not whitelisted, and one of globex."""
    minutes.log_in(12, 4, times=2)
    minutes.fail("wechat_app_misconfigured", 7, 3, errcode=40164, our_ip="203.0.113.7", times=4)
    minutes.fail("wechat_app_misconfigured", 2, app=GLOBEX_LIFE, errcode=40125)
    minutes.fail("credentials_wrong", 1, app=ACME_CLUB, times=3)
    return minutes


def text_of(page: str) -> str:
    """Return the visible text of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def test_page_names_cause_start_share_and_remedy_and_links_to_the_app(
    app: Flask, failing: Minutes
) -> None:
    page = signed_in(app).read("/failures/")
    text = text_of(page)
    assert "Logins are failing." in text
    assert (
        "This server's IP address is not whitelisted. wechat_app_misconfigured errcode 40164"
        in (text)
    )
    assert "Add 203.0.113.7 to the IP whitelist in WeChat's console" in text
    for label, minutes in (("Since", 7), ("Last failure", 3)):
        when = re.escape(exact_time(failing.ago(minutes))[:16])
        assert re.search(rf"{label} \d minutes ago \({when}", text), label
    assert "Failed logins 8 of 10 80%" in text
    assert f"/console/t/acme/apps/{ACME_SHOP.appid}/show" in page
    assert "credentials_wrong Account or password is wrong. 3" in text


def test_chart_has_a_label_and_a_table_by_minute(app: Flask, failing: Minutes) -> None:
    page = signed_in(app).read("/failures/", period="10m")
    (chart,) = re.findall(r'<svg class="chart"[^>]*>', page)
    assert 'role="img" aria-label="Failed logins with this cause, 10 minutes; 8 in total"' in chart
    rows = [
        f"{local_time(failing.ago(3)):%m-%d %H:%M} 4 0",
        f"{local_time(failing.ago(4)):%m-%d %H:%M} 0 2",
        f"{local_time(failing.ago(7)):%m-%d %H:%M} 4 0",
    ]
    assert " ".join(rows) in text_of(page), "newest first, without minutes of no logins"


@pytest.mark.parametrize(("period", "bars"), [("10m", 11), ("1h", 61), ("6h", 37), ("24h", 49)])
def test_chart_covers_the_chosen_period(
    app: Flask, failing: Minutes, period: str, bars: int
) -> None:
    page = signed_in(app).read("/failures/", period=period)
    assert f'<option value="{period}" selected>' in page
    assert page.count('<rect class="bar"') == bars
    assert re.search(r'<rect class="bar" [^>]*height="100', page)


def test_unknown_period_shows_the_usual_one(app: Flask, failing: Minutes) -> None:
    for period in ("", "x", "<script>"):
        page = signed_in(app, f"{len(period)}@acme.example").read("/failures/", period=period)
        assert '<option value="1h" selected>' in page


def test_page_of_a_tenant_shows_nothing_of_its_neighbour(app: Flask, failing: Minutes) -> None:
    globex = TenantConsole(app, "globex")
    text = text_of(globex.read("/failures/"))
    assert "WeChat rejects the AppSecret." in text
    assert "40164" not in text
    assert ACME_SHOP.appid not in text
    assert globex.get("/console/t/acme/failures/").status_code == 404


def test_page_of_all_tenants_is_for_platform_admins_only(app: Flask, failing: Minutes) -> None:
    for role in ("tenant_admin", "tenant_reader"):
        operator = TenantConsole(app, role=role)
        assert operator.get(ALL).status_code == 404
        assert f'href="{ALL}"' not in operator.read("/")
    text = text_of(signed_in(app, "root@example.com", "platform").read(ALL))
    assert "Logins are failing: 2 causes." in text
    assert f"{ACME_SHOP.appid} Acme" in text
    assert f"{GLOBEX_LIFE.appid} Globex" in text


def test_tenant_viewer_sees_the_page_of_the_tenant(app: Flask, failing: Minutes) -> None:
    assert "40164" in TenantConsole(app, role="tenant_reader").read("/failures/")


def test_page_says_that_nothing_fails_or_that_no_logins_were_seen(
    app: Flask, minutes: Minutes
) -> None:
    browser = signed_in(app)
    assert "no logins were seen in this period" in browser.read("/failures/")
    minutes.log_in(1)
    text = text_of(browser.read("/failures/"))
    assert "Nothing fails. " in text
    assert "no logins were seen" not in text


def test_recovered_app_is_listed_below(app: Flask, minutes: Minutes) -> None:
    minutes.fail("wechat_unavailable", 30, 29, times=5)
    minutes.log_in(20)
    text = text_of(signed_in(app).read("/failures/"))
    assert "Nothing fails." in text
    assert f"Works again Mini-program Cause Since Last failure Failed logins {ACME_SHOP.appid}" in (
        text
    )


def test_page_is_shown_in_chinese_if_the_browser_prefers_it(app: Flask, failing: Minutes) -> None:
    browser = Browser(app, language="zh-CN")
    browser.sign_in(signed_in(app).http and "ann@acme.example")
    page = browser.read("/failures/")
    text = text_of(page)
    assert '<html lang="zh-CN"' in page
    assert "登录故障" in text
    assert "请在公众平台“开发设置”中把 203.0.113.7 加入 IP 白名单" in text
    assert "失败的登录 8 / 10 80%" in text

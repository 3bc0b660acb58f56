"""The demo phone used by hand: both languages, both widths, several people and mini-programs."""

import pytest
import requests
from playwright.sync_api import Browser

from tests.browser.screen import SHOTS
from tests.demo.demo_page import demo_page
from tests.e2e.test_make_run import Copy

SIZES = {"desktop": (1440, 900), "laptop": (1280, 800), "phone": (375, 800)}
TEXTS = {
    "en-GB": ("Log in", "Log in by phone number", "Allow", "Member"),
    "zh-CN": ("登录", "手机号快捷登录", "允许", "会员"),
}


@pytest.mark.parametrize("locale", TEXTS)
@pytest.mark.parametrize("size", SIZES)
def test_a_person_logs_in_by_phone_in_both_languages_and_all_widths(
    browser: Browser, copy: Copy, locale: str, size: str
) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    log_in, by_phone, allow, member = TEXTS[locale]
    new_person = "New person" if locale == "en-GB" else "新用户"
    viewport = dict(zip(("width", "height"), SIZES[size], strict=True))

    with demo_page(browser, copy.wechat.url, locale=locale, viewport=viewport) as demo:

        def take_screenshot(name: str) -> None:
            file = f"demo-{name}-{locale[:2]}-{size}.png"
            demo.page.screenshot(path=SHOTS / file, full_page=size == "phone")
            assert not demo.is_too_wide(), name

        assert demo.page.locator("html").get_attribute("lang") == {"en-GB": "en"}.get(
            locale, locale
        )
        take_screenshot("start")
        demo.tap(new_person)
        demo.page.wait_for_selector("#phone-left:not([data-person=alice])[data-screen=start]")
        demo.tap(log_in)
        demo.wait_for_screen("unbound")
        demo.tap(by_phone)
        take_screenshot("sheet")
        demo.tap(allow)
        demo.wait_for_screen("member")
        assert member in demo.phone().inner_text()
        demo.page.locator(".note[data-name]").nth(1).wait_for()
        take_screenshot("member")


def test_the_switch_changes_the_language_and_a_reload_keeps_it(
    browser: Browser, copy: Copy
) -> None:
    with demo_page(browser, copy.wechat.url) as demo:
        demo.page.get_by_role("button", name="中文", exact=True).click()
        demo.page.wait_for_selector("body[data-ready]")
        assert "场景" in demo.page.locator(".scenes h2").inner_text()
        demo.open()
        assert "场景" in demo.page.locator(".scenes h2").inner_text()


def test_a_reload_keeps_the_person_logged_in(browser: Browser, copy: Copy) -> None:
    """Alice is a user of acme, and her number is known."""
    with demo_page(browser, copy.wechat.url) as demo:
        demo.tap("Log in")
        demo.wait_for_screen("unbound")
        demo.tap("Log in by phone number")
        demo.tap("Allow")
        demo.wait_for_screen("member")
        demo.open()
        demo.wait_for_screen("member")
        assert "alice" in demo.phone().inner_text()
        demo.tap("Log out")
        demo.wait_for_screen("start")


def test_people_and_apps_of_both_tenants_can_be_chosen(browser: Browser, copy: Copy) -> None:
    with demo_page(browser, copy.wechat.url) as demo:
        right = demo.phone("right")
        right.get_by_label("Person").select_option("carol")
        right.get_by_label("Mini-program").select_option(label="Globex Life")
        demo.page.wait_for_selector("#phone-right[data-person=carol][data-app='Globex Life']")
        demo.tap("Log in", "right")
        demo.wait_for_screen("unbound", "right")
        demo.tap("Use account and password", "right")
        right.get_by_label("Account").fill("carol")
        right.get_by_label("Password").fill("wrong")
        demo.tap("Bind", "right")
        right.get_by_role("status").wait_for()
        right.get_by_label("Account").fill("carol")
        right.get_by_label("Password").fill("carol-likes-green-tea")
        demo.tap("Bind", "right")
        demo.wait_for_screen("member", "right")
        assert "carol" in right.inner_text()
        assert demo.phone("left").get_attribute("data-screen") == "start"


def test_details_of_a_request_link_to_the_section_that_explains_it(
    browser: Browser, copy: Copy
) -> None:
    with demo_page(browser, copy.wechat.url) as demo:
        demo.play("first-login")
        line = demo.page.locator(".line.answer[data-kind=login]")
        line.locator("summary").click()
        link = line.locator(".detail a").get_attribute("href")
    assert link == f"{copy.service}/docs/guide/concepts/#the-login-pipeline"


@pytest.mark.parametrize("path", ["/demo/", "/demo/demo.js", "/demo/api/traffic"])
def test_only_the_simulator_serves_the_demo(copy: Copy, path: str) -> None:
    assert requests.get(f"{copy.service}{path}", timeout=5).status_code == 404

"""The landing page and the API explorer in a real browser."""

import json
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator

from config.development.demo import TENANTS
from tests.browser.screen import LANGUAGES, SCHEMES, SHOTS, TOO_WIDE, Screen
from tests.e2e.test_make_run import Copy
from tests.fixtures.personas import App, Person

SIZES = {360: 740, 768: 1024, 1280: 800}
# It registers users at their first login.
CLUB = App(TENANTS[0].apps[1].appid, "acme", "")
LOGIN = "/v1/apps/{appid}/login"
STORED = "[localStorage.length, sessionStorage.length, document.cookie]"


def open_explorer(screen: Screen, query: str = "?lang=en") -> None:
    """Open the API explorer and wait until it shows the operations."""
    screen.page.goto(f"{screen.service}/docs{query}")
    screen.page.locator(".opblock").first.wait_for()


def operation(screen: Screen, path: str, method: str = "post") -> Locator:
    """Return the operation with this path and method. Open it if it is closed."""
    found = screen.page.locator(f".opblock-{method}:has([data-path='{path}'])")
    if found.locator(".opblock-body").count() == 0:
        found.locator(".opblock-summary-control").click()
    found.locator(".execute").wait_for()
    return found


def execute(screen: Screen, shown: Locator) -> Any:
    """Press Execute, check that the response is shown, and return its JSON body.

    The request must carry no cookie.
    """
    with screen.page.expect_response(lambda response: "/v1/" in response.url) as answered:
        shown.locator(".execute").click()
    assert "cookie" not in answered.value.request.all_headers()
    shown.locator(".live-responses-table .response-col_status").first.wait_for()
    status = shown.locator(".live-responses-table tbody .response-col_status").first.inner_text()
    assert status.split()[0] == str(answered.value.status)
    return answered.value.json()


def log_in(screen: Screen, person: Person) -> Any:
    """Log a person in with the API explorer, and return the response."""
    shown = operation(screen, LOGIN)
    shown.locator(".parameters input").first.fill(CLUB.appid)
    shown.locator("textarea").first.fill(json.dumps({"code": person.wx_login(CLUB)}))
    return execute(screen, shown)


def authorize(screen: Screen, token: str) -> None:
    """Enter a login token under Authorize."""
    screen.page.locator(".scheme-container .btn.authorize").click()
    dialog = screen.page.locator(".modal-ux")
    heading = screen.page.locator("h4", has_text="loginToken")
    scheme = dialog.locator(".auth-container").filter(has=heading)
    scheme.locator("input").fill(token)
    scheme.locator("button[type=submit]").click()
    dialog.locator(".close-modal").click()


def test_errors_are_in_the_language_of_the_page(screen: Screen) -> None:
    """The browser prefers English."""
    open_explorer(screen, "?lang=zh")
    shown = operation(screen, LOGIN)
    shown.locator(".parameters input").first.fill(CLUB.appid)
    shown.locator("textarea").first.fill(json.dumps({"code": "wrong"}))
    assert "重新" in execute(screen, shown)["detail"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", SIZES)
def test_pages_fit_the_window_in_both_languages(screen: Screen, language: str, width: int) -> None:
    page = screen.page
    page.set_viewport_size({"width": width, "height": SIZES[width]})
    for name, path in (("landing", "/"), ("explorer", "/docs")):
        page.goto(f"{screen.service}{path}?lang={language}")
        if name == "explorer":
            operation(screen, LOGIN)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            file = SHOTS / f"{name}-{language}-{scheme}-{width}.png"
            page.screenshot(path=file, full_page=name == "landing", animations="disabled")
        assert page.evaluate(TOO_WIDE) <= 0, name


def test_the_explorer_follows_the_colour_scheme_of_the_system(screen: Screen) -> None:
    screen.page.emulate_media(color_scheme="dark")
    open_explorer(screen)
    screen.page.locator("html.dark-mode").wait_for()
    screen.page.emulate_media(color_scheme="light")
    screen.page.locator("html:not(.dark-mode)").wait_for()


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_the_language_is_switched_with_the_keyboard(screen: Screen, path: str) -> None:
    page = screen.page
    page.goto(f"{screen.service}{path}")
    assert page.locator("html").get_attribute("lang") == "en"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    switch = page.get_by_role("navigation", name="Language").get_by_role("link", name="中文")
    for _ in range(10):
        page.keyboard.press("Tab")
        if switch.evaluate("link => link === document.activeElement"):
            break
    assert switch.evaluate("link => getComputedStyle(link).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url(f"{screen.service}{path}?lang=zh")
    assert page.locator("html").get_attribute("lang") == "zh-CN"


def test_the_skip_link_moves_the_focus_behind_the_header(screen: Screen) -> None:
    screen.page.goto(f"{screen.service}/")
    screen.page.keyboard.press("Tab")
    screen.page.keyboard.press("Enter")
    screen.page.keyboard.press("Tab")
    assert screen.page.evaluate("document.activeElement.closest('main') !== null")


def test_the_landing_page_leads_to_explorer_console_and_demo_phone(
    copy: Copy, screen: Screen
) -> None:
    page = screen.page
    page.goto(f"{screen.service}/?lang=en")
    phones = page.get_by_role("link", name="Open the demo phone")
    assert phones.get_attribute("href") == f"{copy.wechat.url}/demo/"
    screen.follow("Explore the API")
    page.locator(".opblock").first.wait_for()
    assert page.url == f"{screen.service}/docs?lang=en"
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Console").click()
    assert page.url.startswith(f"{screen.service}/console/sign-in")


def test_the_labels_of_swagger_ui_are_in_the_language_of_the_page(screen: Screen) -> None:
    open_explorer(screen, "?lang=en")
    assert operation(screen, LOGIN).locator(".execute").inner_text() == "Execute"
    open_explorer(screen, "?lang=zh")
    shown = operation(screen, LOGIN)
    assert shown.locator(".execute").inner_text() == "发送请求"
    assert "参数" in shown.locator(".opblock-section-header").first.inner_text()
    assert screen.page.locator(".btn.authorize").first.inner_text() == "授权"
    assert screen.page.locator(".opblock-tag > a").first.inner_text() == "登录"


def test_the_address_opens_an_operation_also_in_the_other_language(screen: Screen) -> None:
    open_explorer(screen)
    operation(screen, LOGIN)
    opened = screen.page.url
    assert "#/" in opened
    tag = screen.page.locator(f".opblock-tag-section:has([data-path='{LOGIN}'])")
    tag.locator(".expand-operation").first.click()
    screen.page.locator(f"[data-path='{LOGIN}']").wait_for(state="detached")
    screen.page.goto("about:blank")
    screen.page.goto(opened)
    screen.page.locator(f".is-open:has([data-path='{LOGIN}']) .execute").wait_for()
    screen.page.get_by_role("link", name="中文").click()
    screen.page.locator(f".is-open:has([data-path='{LOGIN}']) .execute").wait_for()
    assert screen.page.url == opened.replace("lang=en", "lang=zh")


def test_a_login_and_the_request_of_its_profile_are_sent_from_the_explorer(
    copy: Copy, context: BrowserContext, screen: Screen
) -> None:
    context.add_cookies([{"name": "wxpass_console", "value": "planted", "url": copy.service}])
    open_explorer(screen)
    login = log_in(screen, Person(copy.wechat, "erin", "13900139005"))
    assert login["bound"] is True

    profile = operation(screen, "/v1/me", "get")
    assert execute(screen, profile)["code"] == "token_missing"
    authorize(screen, login["token"])
    assert execute(screen, profile)["id"] == login["user"]["id"]
    assert login["user"]["id"] in profile.locator(".live-responses-table").inner_text()
    profile.locator(".live-responses-table").scroll_into_view_if_needed()
    screen.page.screenshot(path=SHOTS / "explorer-executed.png")


def test_a_token_is_never_stored_and_gone_after_a_reload(
    copy: Copy, context: BrowserContext, screen: Screen
) -> None:
    context.clear_cookies()
    open_explorer(screen)
    login = log_in(screen, Person(copy.wechat, "frank", "13900139006"))
    authorize(screen, login["token"])
    assert screen.page.locator(".scheme-container .btn.authorize.locked").count() == 1
    assert screen.page.evaluate(STORED) == [0, 0, ""]
    screen.page.reload()
    screen.page.locator(".scheme-container .btn.authorize.unlocked").wait_for()


@pytest.mark.parametrize("name", ["url", "configUrl", "urls.primaryName", "spec"])
def test_a_link_cannot_show_another_document_in_the_explorer(screen: Screen, name: str) -> None:
    """Swagger UI used to load the document that the address names."""
    requests: list[str] = []
    screen.page.on("request", lambda request: requests.append(request.url))
    open_explorer(screen, f"?{name}=https://evil.example/openapi.json&lang=en")
    (link,) = screen.page.locator(".info a.link").all()
    assert link.get_attribute("href") == f"{screen.service}/openapi.json?lang=en"
    assert [url for url in requests if "openapi.json" in url and "/docs?" not in url] == [
        f"{screen.service}/openapi.json?lang=en"
    ]
    assert "evil" not in screen.page.locator("#explorer").inner_text()


def test_the_explorer_shows_a_hint_without_javascript(copy: Copy, context: BrowserContext) -> None:
    browser = context.browser
    assert browser is not None
    with browser.new_context(java_script_enabled=False) as plain:
        page = plain.new_page()
        page.goto(f"{copy.service}/docs?lang=en")
        assert "needs JavaScript" in page.locator("#explorer").inner_text()

"""Sidebar, palette, menus, lists and themes of the console in a real browser."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.admin.console.assets import FOLDER
from config.development.demo import OPERATOR, TENANTS
from tests.browser.chromium import CHROMIUM
from tests.browser.screen import SHOTS, Screen, chromium
from tests.e2e.test_make_run import Copy
from tests.fixtures.personas import App, Person

CLUB = App(TENANTS[0].apps[1].appid, "acme", "")
PHONE = {"width": 390, "height": 844}


def sign_in(page: Page) -> None:
    """Sign in as the demo operator."""
    page.goto("sign-in")
    page.get_by_label("E-mail address").fill(OPERATOR.email)
    page.get_by_label("Password").fill(OPERATOR.password)
    page.locator("main").get_by_role("button", name="Sign in").click()


@pytest.fixture(scope="module")
def context(copy: Copy) -> Iterator[BrowserContext]:
    """Return a browser context in which a platform admin is signed in. Acme Club has 30 users."""
    for number in range(30):
        person = Person(copy.wechat, f"guest-{number}", f"1390014{number:04}")
        login = copy.post("login", CLUB.appid, code=person.wx_login(CLUB))
        assert login.status_code == 200
    with chromium(CHROMIUM, copy.service) as context:
        page = context.new_page()
        sign_in(page)
        page.close()
        yield context


@pytest.fixture
def page(screen: Screen) -> Page:
    """Return the page of a window that must have no errors and no CSP violation."""
    screen.page.set_viewport_size({"width": 1440, "height": 900})
    return screen.page


@pytest.fixture
def plain(context: BrowserContext, copy: Copy) -> Iterator[Page]:
    """Return a page of a signed-in browser without JavaScript."""
    browser = context.browser
    assert isinstance(browser, Browser)
    address = f"{copy.service}/console/"
    with browser.new_context(java_script_enabled=False, base_url=address, locale="en-GB") as bare:
        bare.add_cookies(context.cookies())  # type: ignore[arg-type]
        yield bare.new_page()


def test_palette_opens_a_page_and_a_mini_program_with_the_keyboard(page: Page) -> None:
    page.goto("t/acme/")
    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Search")
    expect(field).to_be_focused()
    page.keyboard.type("audit log")
    expect(page.locator("#palette .hits a").first).to_contain_text("Audit log")
    page.keyboard.press("Enter")
    page.wait_for_url("**/t/acme/audit/")
    page.get_by_role("link", name="Search", exact=True).click()
    page.keyboard.type(CLUB.appid)
    expect(page.locator("#palette .hits a")).to_have_count(1)
    page.screenshot(path=SHOTS / "palette.png")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/apps/{CLUB.appid}/show")
    page.keyboard.press("Control+k")
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()


def test_tenant_switcher_finds_a_tenant(page: Page) -> None:
    page.goto("t/acme/users/")
    page.locator(".switcher summary").click()
    expect(page.locator("#tenant-choices a")).to_have_count(len(TENANTS))
    page.keyboard.type("glob")
    expect(page.locator("#tenant-choices a")).to_have_count(1)
    page.locator("#tenant-choices a").click()
    page.wait_for_url("**/t/globex/")


def test_list_is_filtered_sorted_and_paged_without_a_reload(page: Page) -> None:
    page.goto("t/acme/users/?size=25")
    page.evaluate("window.isSamePage = true")
    page.get_by_role("link", name="Next").click()
    page.wait_for_url("**page=2**")
    page.get_by_role("link", name="Created").click()
    page.wait_for_url("**sort=created_at**")
    page.get_by_label("State").select_option("disabled")
    page.wait_for_url("**status=disabled**")
    expect(page.get_by_text("Nothing to show.")).to_be_visible()
    assert page.evaluate("window.isSamePage") is True
    page.go_back()
    expect(page.locator("tbody tr").first).to_be_visible()


def test_expired_session_leads_a_list_request_to_the_sign_in_page(
    page: Page, context: BrowserContext
) -> None:
    page.goto("t/acme/users/?size=25")
    cookies = context.cookies()
    context.clear_cookies()
    page.get_by_role("link", name="Next").click()
    page.wait_for_url("**/console/sign-in?next=**")
    expect(page.get_by_label("Password")).to_be_visible()
    context.clear_cookies()
    context.add_cookies(cookies)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["users", "apps", "sessions", "audit"])
def test_first_row_is_visible_on_a_phone_without_scrolling(page: Page, path: str) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto(f"t/acme/{path}/")
    box = page.locator("tbody tr").first.bounding_box()
    assert box is not None
    assert box["y"] + 80 < PHONE["height"]


def test_sidebar_and_filters_open_on_a_phone(page: Page) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto("t/acme/users/")
    sidebar = page.locator("#menu")
    expect(sidebar).to_be_hidden()
    page.get_by_role("link", name="Menu").click()
    expect(sidebar).to_be_visible()
    page.keyboard.press("Escape")
    expect(sidebar).to_be_hidden()
    page.locator(".filter-drawer summary").click()
    expect(page.get_by_label("openid")).to_be_in_viewport()
    page.screenshot(path=SHOTS / "filters-phone.png")
    page.get_by_role("link", name="Menu").click()
    page.locator("#menu").get_by_role("link", name="Sessions").click()
    page.wait_for_url("**/t/acme/sessions/")


def test_pages_menus_and_filters_work_without_javascript(plain: Page) -> None:
    plain.set_viewport_size(PHONE)  # type: ignore[arg-type]
    plain.goto("t/acme/")
    plain.get_by_role("link", name="Menu").click()
    plain.locator("#menu").get_by_role("link", name="Users").click()
    plain.locator(".filter-drawer summary").click()
    plain.get_by_label("State").select_option("disabled")
    plain.get_by_role("button", name="Search").click()
    expect(plain.get_by_text("Nothing to show.")).to_be_visible()
    plain.goto("t/acme/users/?size=25")
    plain.get_by_role("spinbutton", name="Page").fill("2")
    plain.get_by_role("button", name="Go").click()
    assert "page=2" in plain.url
    plain.get_by_role("link", name="Search").click()
    plain.get_by_role("searchbox", name="Search").fill("sessions")
    plain.locator("main").get_by_role("button", name="Search").click()
    plain.locator("main").get_by_role("link", name="Sessions").click()
    assert plain.url.endswith("/t/acme/sessions/")
    expect(plain.locator("[data-copy]").first).to_be_hidden()
    plain.locator(".user-button").click()
    plain.get_by_role("button", name="中文").click()
    assert plain.locator("html").get_attribute("lang") == "zh-CN"


def test_theme_is_applied_by_the_server(page: Page) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    page.goto("account/")
    colours = {}
    for theme in ("Dark", "Light", "System"):
        page.locator(".user-button").click()
        page.get_by_role("button", name=theme).click()
        assert page.locator("html").get_attribute("data-bs-theme") == theme.lower()
        colours[theme] = page.evaluate(background)
    assert colours["Dark"] != colours["Light"] == colours["System"]
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(background) == colours["Dark"]
    page.emulate_media(color_scheme="light")


def test_copy_button_copies_the_whole_id(page: Page, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("t/acme/users/")
    button = page.locator("tbody [data-copy]").first
    button.click()
    expect(button).to_have_attribute("aria-label", "Copied")
    assert page.evaluate("navigator.clipboard.readText()") == button.get_attribute("data-copy")


def test_chart_is_drawn_under_the_content_security_policy(page: Page) -> None:
    """A violation of the policy is an error of the window."""
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    page.goto("account/")
    page.evaluate(
        DRAW, [f"/console/assets/{manifest[name]}" for name in ("charts.js", "charts.css")]
    )
    page.locator("main canvas").wait_for()
    page.screenshot(path=SHOTS / "chart.png")


DRAW = """([script, style]) => {
  const nonce = document.querySelector("script[nonce]").nonce;
  const chart = document.createElement("div");
  const series = [{ label: "Logins", values: [3, 5, 2] }, { label: "Failures", values: [0, 1, 0] }];
  chart.dataset.chart = JSON.stringify({ times: [1e9, 1e9 + 3600, 1e9 + 7200], series });
  document.querySelector("main").append(chart);
  const add = (tag, values) =>
    document.head.append(Object.assign(document.createElement(tag), { nonce, ...values }));
  add("link", { rel: "stylesheet", href: style });
  add("script", { src: script });
}"""

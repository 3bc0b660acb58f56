"""The documentation site in a real browser, as `make run` serves it."""

from itertools import product

import pytest
import requests
from playwright.sync_api import expect

from tests.browser.screen import SCHEMES, SHOTS, TOO_WIDE, Screen
from tests.e2e.test_make_run import Copy
from tests.fixtures.waiting import until

SIZES = {360: 740, 1280: 800}
FOLDERS = {"en": "", "zh": "zh-CN/"}
# `make run` builds the site in the background, and installs what it needs before.
BUILD_SECONDS = 120
# What the search shows when it has read its index.
READY = {"en": "Type to start searching", "zh": "键入以开始搜索"}
# What people enter, and the address of a section that helps.
SEARCHES = [
    ("en", "40163", "faq/"),
    ("en", "refresh token", "refresh"),
    ("zh", "40163", "zh-CN/faq/"),
    ("zh", "刷新凭证", "zh-CN/integrate/"),
    ("zh", "手机号已被使用", "zh-CN/faq/"),
    ("zh", "小程序", "zh-CN/"),
]


@pytest.fixture(scope="module")
def guide(copy: Copy) -> str:
    """The address of the built site."""
    address = f"{copy.service}/docs/guide/"
    until(lambda: requests.get(address, timeout=5).status_code == 200, BUILD_SECONDS)
    return address


@pytest.mark.parametrize("language", FOLDERS)
@pytest.mark.parametrize("width", SIZES)
def test_pages_fit_the_window_in_both_languages(
    screen: Screen, guide: str, language: str, width: int
) -> None:
    page = screen.page
    page.set_viewport_size({"width": width, "height": SIZES[width]})
    for name, scheme in product(("", "quick-start/", "concepts/", "protect-go/"), SCHEMES):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.goto(f"{guide}{FOLDERS[language]}{name}")
        assert page.evaluate(TOO_WIDE) <= 0, name
        file = SHOTS / f"guide-{name.strip('/') or 'index'}-{language}-{scheme}-{width}.png"
        page.screenshot(path=file, animations="disabled")


@pytest.mark.parametrize(("language", "text", "address"), SEARCHES)
def test_the_search_finds_a_page_in_the_language_of_the_site(
    screen: Screen, guide: str, language: str, text: str, address: str
) -> None:
    page = screen.page
    page.goto(f"{guide}{FOLDERS[language]}concepts/")
    expect(page.locator(".md-search-result__meta")).to_have_text(READY[language])
    page.locator("input[name=query]").fill(text)
    # The search reads what was entered when a key is released.
    page.keyboard.press("End")
    results = page.locator(".md-search-result__link")
    results.first.wait_for()
    links = [str(link.get_attribute("href")) for link in results.all()]
    assert [link for link in links if address in link]
    assert {"/zh-CN/" in link for link in links} == {language == "zh"}


def test_the_language_switch_leads_to_the_same_page(screen: Screen, guide: str) -> None:
    page = screen.page
    for name in ("", "faq/"):
        page.goto(f"{guide}{name}")
        for language, folder in (("中文", "zh-CN/"), ("English", "")):
            page.locator(".md-select").hover()
            page.locator(".md-select__link", has_text=language).click()
            page.wait_for_url(f"{guide}{folder}{name}")


def test_links_to_headings_and_error_codes_work_in_both_languages(
    screen: Screen, guide: str
) -> None:
    for folder in FOLDERS.values():
        for page, anchor in (("operations", "upgrades"), ("errors", "code_used")):
            screen.page.goto(f"{guide}{folder}{page}/#{anchor}")
            expect(screen.page.locator(f"#{anchor}")).to_be_in_viewport()

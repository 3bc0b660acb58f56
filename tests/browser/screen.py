"""Browser window for tests: page actions, recorded errors and screenshots."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import axe_playwright_python
from playwright.sync_api import BrowserContext, Page, Request, sync_playwright

# The Content-Security-Policy does not apply to scripts that Playwright evaluates.
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
SHOTS = Path(__file__).parents[2] / "var/screenshots"
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
WIDTHS = {"desktop": (1440, 900), "phone": (390, 844)}
SCHEMES = ("light", "dark")
LANGUAGES = {"en": "English", "zh": "中文"}
TOO_WIDE = "document.documentElement.scrollWidth - window.innerWidth"
# Chromium logs this for every 4xx and 5xx response, and tests provoke such responses.
EXPECTED = "Failed to load resource"


class Screen:
    """A browser window that records console errors, page errors and requests to other hosts."""

    def __init__(self, context: BrowserContext, service: str) -> None:
        self.service = service
        self.page: Page = context.new_page()
        self.errors: list[str] = []
        self.page.on("console", lambda message: self._record(message.type, message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._check_request)
        self.page.on("dialog", lambda dialog: dialog.accept())

    def _record(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and EXPECTED not in text:
            self.errors.append(text)

    def _check_request(self, request: Request) -> None:
        """Record a request as an error if it is sent to any host but the service."""
        if not request.url.startswith((f"{self.service}/", "data:")):
            self.errors.append(f"asks {request.url}")

    @property
    def tab(self) -> "Screen":
        """A new tab that shares the cookies of this window."""
        return Screen(self.page.context, self.service)

    def open(self, path: str) -> None:
        """Open a path below /console/."""
        self.page.goto(path)

    def press(self, name: str) -> None:
        """Click the first button with this text in the main content."""
        self.page.locator("main").get_by_role("button", name=name, exact=True).first.click()

    def follow(self, name: str) -> None:
        """Click the first link with this text in the main content."""
        self.page.locator("main").get_by_role("link", name=name, exact=True).first.click()

    def enter(self, label: str, text: str) -> None:
        """Fill in the form field with this label."""
        self.page.get_by_label(label, exact=True).fill(text)

    def text(self) -> str:
        """Return the visible text of the main content."""
        return self.page.locator("main").inner_text()

    def set_language(self, language: str) -> None:
        """Choose a language in the menu of the operator, or below the sign-in form."""
        menu = self.page.locator(".user-button")
        if menu.count():
            menu.click()
        self.page.get_by_role("button", name=LANGUAGES[language], exact=True).click()

    def take_screenshots(self, name: str) -> None:
        """Take screenshots in desktop and phone size, each in light and dark mode.

        A page that is wider than the window is recorded as an error.
        """
        language = self.page.locator("html").get_attribute("lang")
        for width, (across, down) in WIDTHS.items():
            self.page.set_viewport_size({"width": across, "height": down})
            for scheme in SCHEMES:
                self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                if language == "en" and width == "desktop":
                    self._check_accessibility(f"{name} in the {scheme} theme")
                file = f"{name}-{(language or '')[:2]}-{scheme}-{width}.png"
                self.page.screenshot(path=SHOTS / file, full_page=True)
            if self.page.evaluate(TOO_WIDE) > 0:
                self.errors.append(f"{name} is wider than a {width}")
        self.page.set_viewport_size({"width": 1440, "height": 900})
        self.page.emulate_media(color_scheme="light")

    def _check_accessibility(self, what: str) -> None:
        """Record every violation that axe-core finds on the page as an error."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text())
        for one in self.page.evaluate("axe.run().then((found) => found.violations)"):
            where = [node["target"] for node in one["nodes"]][:3]
            self.errors.append(f"{what}: {one['id']}: {one['help']} {where}")

    def take_all_screenshots(self, pages: dict[str, str]) -> None:
        """Take screenshots of several pages in both languages. `pages` maps names to paths."""
        for language in LANGUAGES:
            for name, path in pages.items():
                self.open(path)
                self.set_language(language)
                self.take_screenshots(name)
        self.set_language("en")

    def id_in_url(self) -> str:
        """Return the UUID in the URL of the page."""
        found = re.search(r"[0-9a-f-]{36}", self.page.url)
        assert found, self.page.url
        return found.group()


@contextmanager
def chromium(path: str, service: str) -> Iterator[BrowserContext]:
    """Run headless Chromium and yield a browser context with the console as base URL."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        # Without transitions, so that axe-core sees the final colours.
        how = {"locale": "en-GB", "reduced_motion": "reduce"}
        yield browser.new_context(base_url=f"{service}/console/", **how)  # type: ignore[arg-type]
        browser.close()

"""The browser's window: what went wrong in it is noted, and what it shows is kept as pictures."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, Request, sync_playwright

SHOTS = Path(__file__).parents[2] / "var/screenshots"
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
WIDTHS = {"desktop": (1280, 800), "phone": (375, 667)}
SCHEMES = ("light", "dark")
LANGUAGES = {"en": "English", "zh": "中文"}
TOO_WIDE = "document.documentElement.scrollWidth - window.innerWidth"
# Chromium says so of every answer that is an error, which the story asks for.
EXPECTED = "Failed to load resource"


class Screen:
    """A window of the browser, signed in or not."""

    def __init__(self, context: BrowserContext, service: str) -> None:
        self.service = service
        self.page: Page = context.new_page()
        self.wrong: list[str] = []
        self.page.on("console", lambda told: self._note(told.type, told.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", self._look)
        self.page.on("dialog", lambda dialog: dialog.accept())

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and EXPECTED not in text:
            self.wrong.append(text)

    def _look(self, request: Request) -> None:
        """Note what is asked of anybody but the service."""
        if not request.url.startswith((f"{self.service}/", "data:")):
            self.wrong.append(f"asks {request.url}")

    @property
    def tab(self) -> "Screen":
        """Open another tab of the same browser."""
        return Screen(self.page.context, self.service)

    def open(self, path: str) -> None:
        """Open a page of the console."""
        self.page.goto(path)

    def press(self, name: str) -> None:
        """Press a button of the page's content."""
        self.page.locator("main").get_by_role("button", name=name, exact=True).first.click()

    def follow(self, name: str) -> None:
        """Follow a link of the page's content."""
        self.page.locator("main").get_by_role("link", name=name, exact=True).first.click()

    def enter(self, label: str, text: str) -> None:
        """Fill a field in."""
        self.page.get_by_label(label, exact=True).fill(text)

    def text(self) -> str:
        """Read what the page says."""
        return self.page.locator("main").inner_text()

    def speak(self, language: str) -> None:
        """Press the button of a language, unless it is spoken already."""
        button = self.page.get_by_role("button", name=LANGUAGES[language], exact=True)
        if button.count():
            button.click()

    def shoot(self, name: str) -> None:
        """Keep what is there, as a desktop and a phone show it by day and by night."""
        language = self.page.locator("html").get_attribute("lang")
        for width, (across, down) in WIDTHS.items():
            self.page.set_viewport_size({"width": across, "height": down})
            for scheme in SCHEMES:
                self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                file = f"{name}-{(language or '')[:2]}-{scheme}-{width}.png"
                self.page.screenshot(path=SHOTS / file, full_page=True)
            if self.page.evaluate(TOO_WIDE) > 0:
                self.wrong.append(f"{name} is wider than a {width}")
        self.page.set_viewport_size({"width": 1280, "height": 800})
        self.page.emulate_media(color_scheme="light")

    def shoot_all(self, pages: dict[str, str]) -> None:
        """Keep pages by their names, in both languages."""
        for language in LANGUAGES:
            for name, path in pages.items():
                self.open(path)
                self.speak(language)
                self.shoot(name)
        self.speak("en")

    def id_in_address(self) -> str:
        """Read the id of what the page is about."""
        found = re.search(r"[0-9a-f-]{36}", self.page.url)
        assert found, self.page.url
        return found.group()


@contextmanager
def chromium(path: str, service: str) -> Iterator[BrowserContext]:
    """Run the browser without a window; yield its cookies and tabs."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser.new_context(base_url=f"{service}/console/", locale="en-GB")
        browser.close()

"""The page of the demo phone in a browser: its actions, recorded errors and secrets."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Locator, Page, Request, Response

# Chromium logs this for every 4xx and 5xx response, and scenes provoke such responses.
EXPECTED = "Failed to load resource"
SECRET_FIELDS = ("token", "refresh_token", "encryptedData", "signature")
DONE = 30_000


class DemoPage:
    """The page of the demo. Records errors, requests to other hosts, and secrets in responses."""

    def __init__(self, page: Page, simulator: str) -> None:
        self.page, self.simulator = page, simulator
        self.errors: list[str] = []
        self.secrets: set[str] = set()
        page.on("console", lambda message: self._record(message.type, message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._check_request)
        page.on("response", self._collect_secrets)

    def open(self) -> None:
        """Open the page and wait until both phones show a mini-program."""
        self.page.goto(f"{self.simulator}/demo/")
        self.page.wait_for_selector("body[data-ready]")

    def phone(self, side: str = "left") -> Locator:
        """Return a phone."""
        return self.page.locator(f"#phone-{side}")

    def tap(self, name: str, side: str = "left") -> None:
        """Tap a button of the mini-program."""
        self.phone(side).get_by_role("button", name=name, exact=True).click()

    def wait_for_screen(self, name: str, side: str = "left") -> None:
        """Wait until the mini-program shows a screen."""
        self.page.wait_for_selector(f"#phone-{side}[data-screen={name}][data-busy=false]")

    def choose(self, scene: str) -> Locator:
        """Choose a scene, and return its entry in the list."""
        entry = self.page.locator(f"#scene-{scene}")
        entry.locator("button.scene").click()
        return entry

    def play(self, scene: str) -> str:
        """Play a scene to its end, and return the text of its result."""
        entry = self.choose(scene)
        entry.locator(".controls .primary").click()
        entry.locator(".play[data-state=done]").wait_for(timeout=DONE)
        assert not entry.locator(".error").count(), entry.locator(".error").inner_text()
        return entry.locator(".result").inner_text()

    def timeline(self) -> str:
        """Return the text of the requests, with all details."""
        return self.page.locator(".timeline").text_content() or ""

    def is_too_wide(self) -> bool:
        """Return whether the page is wider than the window."""
        width = "document.documentElement.scrollWidth > window.innerWidth"
        return bool(self.page.evaluate(width))

    def _record(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and EXPECTED not in text:
            self.errors.append(text)

    def _check_request(self, request: Request) -> None:
        if not request.url.startswith(f"{self.simulator}/demo/"):
            self.errors.append(f"asks {request.url}")

    def _collect_secrets(self, response: Response) -> None:
        if not re.search(r"/demo/(service|api/wx)/", response.url) or response.status == 204:
            return
        body = response.json()
        if isinstance(body, dict):
            self.secrets |= set(_secrets_of(body))


def _secrets_of(body: dict[str, Any]) -> Iterator[str]:
    """Yield the secrets of an answer. The code of a problem is none."""
    for name in SECRET_FIELDS:
        if isinstance(body.get(name), str):
            yield body[name]
    if "title" not in body and isinstance(body.get("code"), str):
        yield body["code"]
    for holder in (body, body.get("user") or {}):
        if holder.get("phone"):
            yield holder["phone"]


@contextmanager
def demo_page(browser: Browser, simulator: str, **options: Any) -> Iterator[DemoPage]:
    """Open the demo in a new browser context. At the end it must have no errors."""
    context = browser.new_context(**{"locale": "en-GB", **options})
    demo = DemoPage(context.new_page(), simulator)
    demo.open()
    yield demo
    assert not demo.errors, demo.errors
    context.close()

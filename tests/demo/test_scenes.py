"""Every scene of the demo phone, in a real browser against real processes."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.demo.demo_page import DemoPage, demo_page
from tests.e2e.test_make_run import Copy

SCENES = Path(__file__).parents[2] / "clients" / "demo" / "src" / "scenes"
NAMES = [
    name
    for path in sorted(SCENES.glob("*.ts"))
    for name in re.findall(r'^  id: "([a-z-]+)",$', path.read_text(), re.MULTILINE)
]


@pytest.fixture(scope="module")
def demo(browser: Browser, copy: Copy) -> Iterator[DemoPage]:
    """The demo in one window, in which all scenes are played."""
    with demo_page(browser, copy.wechat.url) as page:
        yield page


@pytest.mark.parametrize("name", NAMES)
def test_scene_ends_as_expected_and_shows_no_secret(demo: DemoPage, name: str) -> None:
    demo.secrets.clear()
    result = demo.play(name)
    assert result.startswith("Result: as expected"), result
    shown = demo.timeline()
    assert demo.secrets
    assert [secret for secret in demo.secrets if secret in shown] == []


def test_a_scene_runs_step_by_step(demo: DemoPage) -> None:
    entry = demo.choose("first-login")
    entry.get_by_role("button", name="Next step").click()
    entry.locator(".steps li.past").first.wait_for()
    assert entry.locator(".steps li.past").count() == 1
    assert demo.phone().get_attribute("data-screen") == "start"
    entry.get_by_role("button", name="Next step").click()
    entry.locator(".result").wait_for()
    assert demo.phone().get_attribute("data-screen") == "unbound"


def test_an_interrupted_scene_leaves_no_wrong_secret_for_the_next_one(demo: DemoPage) -> None:
    entry = demo.choose("wrong-secret")
    entry.get_by_role("button", name="Next step").click()
    entry.locator(".steps li.past").first.wait_for()
    demo.open()
    assert demo.play("first-login").startswith("Result: as expected")

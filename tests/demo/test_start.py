"""From `make run` to a logged-in demo phone, without Node.js."""

import os
import time
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import running_copy
from tests.demo.demo_page import demo_page
from tests.e2e.test_make_run import Copy

NODE = {"node", "nodejs", "npm", "npx", "corepack"}
FIRST_SECONDS = 90
# Of processor time. The time on the clock depends on what else runs on the machine.
RESTART_SECONDS = 10


@pytest.fixture
def path_without_node(tmp_path: Path) -> str:
    """A PATH with all programs of this machine but Node.js."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for place in os.environ["PATH"].split(os.pathsep):
        for program in Path(place).iterdir() if Path(place).is_dir() else ():
            if program.name not in NODE and not (folder / program.name).exists():
                (folder / program.name).symlink_to(program)
    return str(folder)


def log_in(browser: Browser, copy: Copy) -> None:
    """Log Alice in on the demo phone that `make run` names."""
    assert f"{copy.wechat.url}/demo/" in copy.output
    with demo_page(browser, copy.wechat.url) as demo:
        demo.tap("Log in")
        demo.page.locator(".note[data-name]").wait_for()


def processor_seconds(copy: Copy) -> float:
    """Return the processor time that all processes of a copy have used."""
    own = psutil.Process(copy.process.pid)
    used = [process.cpu_times() for process in (own, *own.children(recursive=True))]
    return sum(one.user + one.system for one in used) + used[0].children_user


def test_a_person_is_logged_in_without_node_at_the_first_start_and_after_a_restart(
    browser: Browser, tmp_path: Path, path_without_node: str
) -> None:
    began = time.monotonic()
    with running_copy(tmp_path, PATH=path_without_node) as first:
        log_in(browser, first)
        assert time.monotonic() - began < FIRST_SECONDS
    with running_copy(tmp_path, PATH=path_without_node) as again:
        log_in(browser, again)
        assert processor_seconds(again) < RESTART_SECONDS

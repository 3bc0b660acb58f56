"""Fixtures for tests of the demo phone in Chromium against the processes of `make run`.

The tests run only with `make test-demo`, which sets CHROMIUM.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.screen import QUIET
from tests.e2e.test_make_run import Copy, start, stop

CHROMIUM = os.environ.get("CHROMIUM", "")
if not CHROMIUM.startswith("/"):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """Start the service with a WeChat simulator. Skip if Chromium is missing, but fail in CI."""
    if not Path(CHROMIUM).exists():
        missing = f"there is no {CHROMIUM}; on Debian: apt install chromium fonts-noto-cjk"
        assert os.environ.get("CI") != "true", missing
        pytest.skip(missing)
    running = start(tmp_path_factory.mktemp("demo") / "var")
    yield running
    stop(running, signal.SIGTERM)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()

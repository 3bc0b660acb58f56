"""Fixtures for tests of the demo phone in Chromium. The tests run only with `make test-demo`."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.chromium import CHROMIUM, IGNORED, running_copy
from tests.browser.screen import QUIET
from tests.e2e.test_make_run import Copy

collect_ignore_glob = IGNORED


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """The service with a WeChat simulator."""
    with running_copy(tmp_path_factory.mktemp("demo")) as copy:
        yield copy


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()

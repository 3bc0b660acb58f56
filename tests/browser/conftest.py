"""Fixtures for tests of the website and the console in Chromium, which make test-browser runs."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.chromium import CHROMIUM, IGNORED, running_copy
from tests.browser.screen import Screen, chromium
from tests.e2e.test_make_run import Copy

collect_ignore_glob = IGNORED


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """The service with a WeChat simulator."""
    with running_copy(tmp_path_factory.mktemp("browser")) as copy:
        yield copy


@pytest.fixture(scope="module")
def context(copy: Copy) -> Iterator[BrowserContext]:
    """Chromium with an English locale."""
    with chromium(CHROMIUM, copy.service) as context:
        yield context


@pytest.fixture
def screen(copy: Copy, context: BrowserContext) -> Iterator[Screen]:
    """Return a window. At the end of the test it must have no errors and no CSP violation."""
    screen = Screen(context, copy.service)
    yield screen
    screen.page.close()
    assert not screen.errors, screen.errors

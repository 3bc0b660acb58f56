"""Fixtures for console tests in Chromium. The tests run only with `make test-browser`."""

from collections.abc import Iterator

import pytest

from tests.browser.chromium import IGNORED, running_copy
from tests.e2e.test_make_run import Copy

collect_ignore_glob = IGNORED


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """The service with a WeChat simulator."""
    with running_copy(tmp_path_factory.mktemp("browser")) as copy:
        yield copy

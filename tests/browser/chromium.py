"""Chromium, and the processes of `make run` that it visits."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.test_make_run import Copy, start, stop

# Set by the make targets of browser tests. Without it, these tests are not collected.
CHROMIUM = os.environ.get("CHROMIUM", "")
IGNORED = [] if CHROMIUM.startswith("/") else ["test_*.py"]


@contextmanager
def running_copy(folder: Path, **environ: str) -> Iterator[Copy]:
    """Run `make run` inside the block. Skip if Chromium is missing, but fail in CI."""
    if not Path(CHROMIUM).exists():
        missing = f"there is no {CHROMIUM}; on Debian: apt install chromium fonts-noto-cjk"
        assert os.environ.get("CI") != "true", missing
        pytest.skip(missing)
    running = start(folder / "var", **environ)
    try:
        yield running
    finally:
        stop(running, signal.SIGTERM)

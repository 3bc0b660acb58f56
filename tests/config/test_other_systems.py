"""Systems other than Linux, on which people develop."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What the standard library of macOS lacks.
WITHOUT_LINUX = """
import os, select
del os.sched_getaffinity, select.POLLRDHUP, select.epoll
import app, app.auth, config.cpu_limit, config.development.run
assert config.cpu_limit.usable_cpus() >= 1
ours, theirs = __import__("socket").socketpair()
assert not app.auth._has_disconnected(ours)
theirs.close()
assert app.auth._has_disconnected(ours)
"""


def test_the_service_needs_no_constant_or_function_that_only_linux_has() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_LINUX], cwd=ROOT, check=True)

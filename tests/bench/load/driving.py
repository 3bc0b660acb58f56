"""Execution of the load generator: wrk if installed, otherwise Locust."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from tests.bench.load import by_locust, by_wrk
from tests.bench.load.generator import Load, Task

INSTALLATION = (
    "The load comes from wrk; on Debian and Ubuntu: apt install wrk. Without it, from a `locust` "
    "in the PATH, which measures itself as well; in an environment of its own: pip install locust"
)


def find_generator() -> ModuleType:
    """Return the module of the load generator. Exit with instructions if none is installed."""
    for generator in (by_wrk, by_locust):
        if shutil.which(generator.PROGRAM):
            return generator
    sys.exit(f"There is no load generator. {INSTALLATION}")


def version() -> str:
    """Return the name and version of the load generator."""
    version_text: str = find_generator().version()
    return version_text


def drive(task: Task) -> Load:
    """Send the requests of a feed and return the result. Exit if the load generator fails."""
    generator = find_generator()
    done = subprocess.run(generator.command(task), capture_output=True, text=True, check=False)
    try:
        load: Load = generator.read(done.stdout, task)
    except (ValueError, StopIteration):
        sys.exit(f"{generator.PROGRAM} failed:\n{done.stdout}{done.stderr}")
    return load


@contextmanager
def background(task: Task) -> Iterator[None]:
    """Send the requests of a feed inside the block.

    Exit if the load generator ends before the block.
    """
    command, quiet = find_generator().command(task), subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as loading:
        try:
            yield
            if loading.poll() is not None:
                sys.exit("the load in the background ended by itself")
        finally:
            loading.terminate()

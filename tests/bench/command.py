"""Execution of a benchmark command, with signals and errors turned into exit codes."""

import signal
import sys
from collections.abc import Callable

from config.development.children import RunFailed
from config.readers import ConfigError

INTERRUPTED = 130


def run(work: Callable[[], None]) -> int:
    """Run a benchmark and return the exit code.

    SIGINT and SIGTERM raise KeyboardInterrupt, so that `work` stops the processes it started.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        # A shell starts background commands with SIGINT ignored.
        signal.signal(number, signal.default_int_handler)
    try:
        work()
    except (RunFailed, ConfigError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return INTERRUPTED
    return 0

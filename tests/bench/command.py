"""How a measuring command ends: with all that it started, whatever ends it."""

import signal
import sys
from collections.abc import Callable

from config.development.children import RunFailed
from config.readers import ConfigError

INTERRUPTED = 130


def run(work: Callable[[], None]) -> int:
    """Do it; say why it failed, if it did."""
    for one in (signal.SIGINT, signal.SIGTERM):
        # Even where a shell has started it with SIGINT ignored, as it does behind an `&`.
        signal.signal(one, signal.default_int_handler)
    try:
        work()
    except (RunFailed, ConfigError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return INTERRUPTED
    return 0

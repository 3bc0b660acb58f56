"""The main benchmark: `make bench` or `python -m tests.bench`."""

import argparse
import sys
from collections.abc import Sequence

from tests.bench.command import run
from tests.bench.data.world import world
from tests.bench.load import driving
from tests.bench.report import measure_everything

CONNECTIONS = (16, 64, 256)
DELAYS = (0, 200)


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Measure the service next to bare Flask views in the same gunicorn. "
        "Starts and stops everything it needs; needs no network. Tables go to var/bench/bench.md.",
        epilog=driving.INSTALLATION,
    )
    parser.add_argument("--seconds", type=int, default=10, help="of each run; 3 runs a row")
    parser.add_argument("--users", type=int, default=50_000, help="in the database")
    # Enough that nobody reaches the session limit, above which a login takes more statements.
    parser.add_argument("--people", type=int, default=4_000, help="users under load")
    parser.add_argument("--connections", type=int, nargs="+", default=CONNECTIONS)
    parser.add_argument("--delays", type=int, nargs="+", default=DELAYS, help="of WeChat, in ms")
    parser.add_argument("--endings", type=int, default=400, help="number of ended sessions")
    return parser.parse_args(arguments)


def measure() -> None:
    """Run all measurements with a temporary database."""
    options = parse_arguments()
    driving.find_generator()
    with world(options.users) as bench_world:
        measure_everything(bench_world, options)


if __name__ == "__main__":
    sys.exit(run(measure))

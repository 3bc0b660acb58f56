"""Benchmark with databases of increasing size.

`make bench-scale` or `python -m tests.bench.scale`.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from config.development import var_folder
from config.development.children import RunFailed
from tests.bench.command import run
from tests.bench.load import driving
from tests.bench.scaling import measure_sizes

SIZES = (10_000, 1_000_000, 10_000_000)
GIGABYTE = 10**9
# Disk space of a user with identity, session_key, two sessions and indexes, plus 50 % reserve.
BYTES_PER_USER = 3_500


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.scale",
        description="Fill databases of several sizes by COPY, one after the other, and measure "
        "verify and logins in each. Tables go to var/bench/scale.md.",
        epilog=driving.INSTALLATION,
    )
    parser.add_argument("--users", type=int, nargs="+", default=SIZES, help="in each database")
    parser.add_argument("--people", type=int, default=5_000, help="under load in each database")
    parser.add_argument("--seconds", type=int, default=10, help="of each run; 3 runs a row")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument(
        "--keep",
        action="store_true",
        help="keep the databases; their sessions are valid for 2 days",
    )
    return parser.parse_args(arguments)


def measure() -> None:
    """Check the disk space and run all measurements."""
    options = parse_arguments()
    driving.find_generator()
    check_disk(options)
    measure_sizes(options)


def check_disk(options: argparse.Namespace) -> None:
    """Raise RunFailed if the largest database does not fit on the disk."""
    folder = var_folder(dict(os.environ))
    wanted = BYTES_PER_USER * (sum(options.users) if options.keep else max(options.users))
    free = shutil.disk_usage(next(filter(Path.exists, (folder, *folder.parents)))).free
    if free < wanted:
        raise RunFailed(
            f"{folder} has {free / GIGABYTE:.0f} GB free, and {wanted / GIGABYTE:.0f} GB are "
            "needed. Choose another place with WXPASS_VAR, or fewer with --users."
        )


if __name__ == "__main__":
    sys.exit(run(measure))

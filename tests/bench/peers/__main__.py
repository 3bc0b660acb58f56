"""Comparison with other login services: `make bench-peers` or `python -m tests.bench.peers`."""

import argparse
import os
import sys
from collections.abc import Sequence

from config.development import var_folder
from tests.bench.command import run
from tests.bench.data.world import world
from tests.bench.load import driving
from tests.bench.peers.comparison import compare
from tests.bench.peers.servers import find_node, install

CONNECTIONS = (16, 64)


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.peers",
        description="Measure the service next to better-auth and wafer-node-session, which npm "
        "installs into var/bench/peers. Tables go to var/bench/peers.md.",
        epilog=f"Needs Node.js 20 or newer, npm, and its registry once. {driving.INSTALLATION}",
    )
    parser.add_argument("--seconds", type=int, default=10, help="of each run; 3 runs a row")
    parser.add_argument("--users", type=int, default=50_000, help="in each database")
    parser.add_argument("--people", type=int, default=1_000, help="users under load")
    parser.add_argument("--connections", type=int, nargs="+", default=CONNECTIONS)
    return parser.parse_args(arguments)


def measure() -> None:
    """Install the peers, and run all measurements with temporary databases."""
    options = parse_arguments()
    driving.find_generator()
    find_node()
    packages = var_folder(dict(os.environ)) / "bench" / "peers"
    install(packages)
    with world(options.users) as made:
        compare(made, packages, options)


if __name__ == "__main__":
    sys.exit(run(measure))

"""Costs with databases of increasing size: `make bench-scale` or `python -m tests.bench.scale`."""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from config.development import ROOT, var_folder
from config.development.children import RunFailed
from tests.bench.command import run
from tests.bench.load import driving
from tests.bench.machine import machine, of_database
from tests.bench.measuring import Conditions
from tests.bench.progress import say
from tests.bench.scale.databases import Database, database, is_filled
from tests.bench.scale.measuring import Measurement
from tests.bench.scale.notifications import measure_notifications
from tests.bench.scale.people import groups_of
from tests.bench.scale.report import Report, Size
from tests.bench.scale.retention import measure_retention
from tests.bench.scale.space import read_space

SIZES = (10_000, 1_000_000, 10_000_000)
GIGABYTE = 10**9
# Disk space of a user with all rows and indexes, of the sorting of an index, and of the
# write-ahead log, plus reserve.
BYTES_PER_USER = 4_500
# Retention reads every session_key, so it takes long with more users.
MAX_USERS_FOR_RETENTION = 1_000_000


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.scale",
        description="Fill databases of several sizes, one after the other, and measure in each the "
        "bytes per row, and CPU time, latency and write-ahead log per request. The tables go to "
        "var/bench/scale.md and var/bench/scale.json. Everything else is removed at the end.",
        epilog=driving.INSTALLATION,
    )
    parser.add_argument("--users", type=int, nargs="+", default=SIZES, help="in each database")
    parser.add_argument("--seconds", type=int, default=6, help="of each run")
    parser.add_argument("--runs", type=int, default=3, help="of each row; the median counts")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument(
        "--keep",
        action="store_true",
        help="keep the databases in var/bench-scale, and use those that were kept; "
        "their sessions are valid for 2 days",
    )
    return parser.parse_args(arguments)


def measure() -> None:
    """Check the disk space, run all measurements, and save the report after each size."""
    options = parse_arguments()
    driving.find_generator()
    var = var_folder(dict(os.environ))
    check_disk(var, options)
    sizes: list[Size] = []
    for users in sorted(options.users):
        folder, began = folder_of(var, users), time.monotonic()
        with database(folder, users, keep=options.keep) as filled:
            say(f"Measuring with {users:,} users")
            conditions = conditions_of(filled, options)
            sizes.append(measure_size(filled, users, time.monotonic() - began, options))
        report = Report(conditions, sizes)
        report.save(var / "bench")
    print(report.markdown, flush=True)


def measure_size(
    filled: Database, users: int, fill_seconds: float, options: argparse.Namespace
) -> Size:
    """Measure everything with one database."""
    world, at = filled.world, Conditions(options.connections, 0, options.seconds)
    space = read_space(world.database_url)
    measurement = Measurement(filled, groups_of(users), at, options.runs)
    with world.serving() as service, world.serving(session_cache=1) as uncached:
        warm = measurement.warm(service, uncached)
        notified = measure_notifications(world, service, options.seconds, options.runs)
        compressed = measurement.compressed(service)
        cold = measurement.cold(service, uncached)
    with psycopg.connect(world.database_url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE) login_sessions")
    after = read_space(world.database_url)
    has_retention = users <= MAX_USERS_FOR_RETENTION
    retention = measure_retention(world) if has_retention else {}
    return Size(users, fill_seconds, space, after, warm, compressed, cold, notified, retention)


def conditions_of(filled: Database, options: argparse.Namespace) -> dict[str, str]:
    """Return the conditions of the measurement for the report."""
    with psycopg.connect(filled.world.database_url) as connection:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    load = os.getloadavg()[2]
    return {
        "machine": f"{machine()}; load average of the last 15 minutes {load:.1f}",
        "database": of_database(filled.world),
        "load": f"{driving.version()}, {options.connections} connections, WeChat at 0 ms, medians "
        f"of {options.runs} runs of {options.seconds} s, each after a checkpoint",
        "seconds": str(options.seconds),
        "schema": str(row[0] if row else ""),
        "commit": commit.stdout.strip(),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def folder_of(var: Path, users: int) -> Path:
    """Return the folder of the database of a size."""
    return var / "bench-scale" / str(users)


def check_disk(var: Path, options: argparse.Namespace) -> None:
    """Raise RunFailed if the databases that are missing do not fit on the disk."""
    missing = [users for users in options.users if not is_filled(folder_of(var, users), users)]
    wanted = BYTES_PER_USER * (sum if options.keep else max)(missing or [0])
    free = shutil.disk_usage(next(filter(Path.exists, (var, *var.parents)))).free
    if free < wanted:
        raise RunFailed(
            f"{var} has {free / GIGABYTE:.0f} GB free, and {wanted / GIGABYTE:.0f} GB are "
            "needed. Choose another place with WXPASS_VAR, or fewer with --users."
        )


if __name__ == "__main__":
    sys.exit(run(measure))

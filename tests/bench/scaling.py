"""Measurement of the same load with databases of different sizes."""

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from tests.bench.data.people import sample
from tests.bench.data.rows import FLOOR, KNOWN, NEW, VERIFY, Bench, Row
from tests.bench.data.tables import MEASURED, results_of, save, table
from tests.bench.data.world import World, world
from tests.bench.load import driving
from tests.bench.load.targets import Target, at_most, p99_ratio_of, targets_table
from tests.bench.machine import machine, of_database
from tests.bench.measuring import Conditions, Measured, measure
from tests.bench.progress import say

ROWS = (FLOOR, VERIFY, KNOWN, NEW)
COMPARED = (VERIFY, KNOWN, NEW)
MAX_RATIO = 1.2
GIGABYTE = 10**9
HEADER = ("row", "users", "database GB", *MEASURED)


@dataclass(frozen=True)
class Size:
    """The size of a database in users and gigabytes, and the measurements with this database."""

    users: int
    gigabytes: float
    rows: dict[Row, Measured]


def measure_sizes(options: Namespace) -> None:
    """Measure the sizes in ascending order, and save the report after each size."""
    sizes: list[Size] = []
    for users in sorted(options.users):
        name = f"wxpass_scale_{users}" if options.keep else ""
        with world(users, name, keep=options.keep) as made:
            sizes.append(measure_size(made, users, options))
            save(report_of(made, sizes, options), made.folder / "scale.md")


def measure_size(made: World, users: int, options: Namespace) -> Size:
    """Measure all rows with one database."""
    gigabytes = gigabytes_of(made)
    say(f"{users:,} users take {gigabytes:.1f} GB")
    bench = Bench(made, sample(users, options.people))
    at = Conditions(options.connections, 0, options.seconds)
    with made.serving() as service:
        return Size(users, gigabytes, measure(bench, service, ROWS, at))


def report_of(made: World, sizes: Sequence[Size], options: Namespace) -> str:
    """Return the report as Markdown."""
    parts = [
        f"# Scale\n\n{machine()}. {driving.version()}. {of_database(made)}",
        f"{options.people:,} users, drawn uniformly, are under load at each "
        f"size, with two sessions each, over {options.connections} connections; WeChat at 0 ms. "
        f"Medians of 3 runs of {options.seconds} s after a warm-up in which every session was "
        "shown once, the rows in turn.",
        table(HEADER, [cells(row, size) for row in ROWS for size in sizes]),
    ]
    if len(sizes) > 1:
        parts += ["## Targets", targets_table(targets_of(sizes[0], sizes[-1]))]
    return "\n\n".join(parts)


def cells(row: Row, size: Size) -> Sequence[str]:
    """Return the table cells of one kind of request with one size of the database."""
    labels = (row.name, f"{size.users:,}", f"{size.gigabytes:.2f}")
    return *labels, *results_of(size.rows[row])


def targets_of(smallest: Size, largest: Size) -> list[Target]:
    """Return the targets for the ratio of the 99th percentiles at the largest and smallest size."""
    return [
        at_most(
            f"{row.name}, p99 at {largest.users:,} users / at {smallest.users:,}",
            p99_ratio_of(largest.rows[row], smallest.rows[row]),
            MAX_RATIO,
        )
        for row in COMPARED
    ]


def gigabytes_of(made: World) -> float:
    """Return the size of the database in gigabytes."""
    with psycopg.connect(made.database_url) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return row[0] / GIGABYTE if row else 0

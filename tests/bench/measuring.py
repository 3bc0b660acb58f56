"""Measurement of rows. Each row runs three times.

The rows run in turn, so that a slow period of the machine affects every row.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from tests.bench.costs import Costs, costs_of, wait_until_idle
from tests.bench.data.rows import Bench, Feed, Row, report_run
from tests.bench.data.world import Service
from tests.bench.load.generator import Load
from tests.bench.progress import say

REPEATED = 3


@dataclass(frozen=True)
class Conditions:
    """Number of connections, delay of WeChat in milliseconds, and seconds of a run."""

    connections: int
    delay: int
    seconds: int


@dataclass(frozen=True)
class Measured:
    """The medians of the runs of a row, and the sum of the errors.

    `rate` is in requests per second. `service` and `database` are CPU time per request. All times
    are in milliseconds.
    """

    rate: float
    p50: float
    p99: float
    service: float
    database: float
    errors: int

    @property
    def counts(self) -> bool:
        """Return whether the row had no errors, which may be faster than successful responses."""
        return self.errors == 0 and self.rate > 0


Run = tuple[Load, Costs]


class ServiceRow(NamedTuple):
    """A row, and the service that it is measured with."""

    bench: Bench
    service: Service
    row: Row


def measure(
    bench: Bench, service: Service, rows: Sequence[Row], conditions: Conditions
) -> dict[Row, Measured]:
    """Return the measurements of rows of one service under the same conditions."""
    measured = measure_in_turn([ServiceRow(bench, service, row) for row in rows], conditions)
    return dict(zip(rows, measured, strict=True))


def measure_in_turn(rows: Sequence[ServiceRow], at: Conditions) -> list[Measured]:
    """Return the measurement of each row under the same conditions. They run in turn."""
    world = rows[0].bench.world
    world.delay_wechat(at.delay)
    say(f"{at.connections} connections, WeChat at {at.delay} ms")
    for bench, service, row in rows:
        bench.warm_up(service, row)
        wait_until_idle(service.pid)
    runs: list[list[Run]] = [[] for _ in rows]
    for _ in range(REPEATED):
        for one, of_row in zip(rows, runs, strict=True):
            of_row.append(run_once(one, at))
    world.delay_wechat(0)
    return [medians_of(of_row) for of_row in runs]


def run_once(one: ServiceRow, at: Conditions) -> Run:
    """Run a row once. Return the result of the load generator and the CPU time."""
    return drive_once(one, one.bench.prepare(one.row, at.seconds), at)


def drive_once(one: ServiceRow, feed: Feed, at: Conditions) -> Run:
    """Send the requests of a feed. Return the result of the load generator and the CPU time."""
    bench, service, row = one
    family = (service.pid, bench.world.postmaster)
    before = costs_of(*family)
    load = feed.drive(service, at.connections, at.seconds)
    spent = costs_of(*family).since(before)
    wait_until_idle(service.pid)
    report_run(row, at.connections, load)
    return load, spent


def medians_of(runs: Sequence[Run]) -> Measured:
    """Return the median of each measured number, and the sum of the errors."""

    def median_of(numbers: Iterable[float]) -> float:
        return median(list(numbers))

    return Measured(
        rate=median_of(load.rate for load, _ in runs),
        p50=median_of(load.p50 for load, _ in runs),
        p99=median_of(load.p99 for load, _ in runs),
        service=median_of(1000 * spent.service / max(load.requests, 1) for load, spent in runs),
        database=median_of(1000 * spent.database / max(load.requests, 1) for load, spent in runs),
        errors=sum(load.errors for load, _ in runs),
    )

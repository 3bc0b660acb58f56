"""Costs of each kind of request with one database, with warm and with cold caches."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from statistics import median
from typing import NamedTuple

import psycopg
import requests

from config.development.children import RunFailed
from tests.bench.costs import Costs, wait_until_idle
from tests.bench.data.rows import FLOOR, KNOWN, NEW, REFRESH, UNCACHED, VERIFY, Bench, Row
from tests.bench.data.world import Service
from tests.bench.load.generator import Load
from tests.bench.measuring import Conditions, ServiceRow, drive_once
from tests.bench.progress import say
from tests.bench.scale.databases import Database
from tests.bench.scale.people import Groups
from tests.bench.scale.usage import Written, checkpoint, read_usage, written_between

WARM_ROWS = (FLOOR, VERIFY, UNCACHED, KNOWN, NEW, REFRESH)
COLD_ROWS = (UNCACHED, KNOWN)
COMPRESSED = "pglz"
READY_SECONDS = 30


@dataclass(frozen=True)
class Cost:
    """The cost of a request. Medians of several runs; times in milliseconds.

    `service` and `database` are CPU time. The write-ahead log is that after a checkpoint.
    """

    rate: float
    p50: float
    p99: float
    service: float
    database: float
    record_bytes: float
    full_page_bytes: float
    pages_read: float
    errors: int


class Run(NamedTuple):
    """A run of a row."""

    load: Load
    spent: Costs
    written: Written

    @property
    def cost(self) -> Cost:
        """Return the cost of each request of the run."""
        load, each = self.load, 1 / max(self.load.requests, 1)
        return Cost(
            rate=load.rate,
            p50=load.p50,
            p99=load.p99,
            service=1000 * self.spent.service * each,
            database=1000 * self.spent.database * each,
            record_bytes=self.written.record_bytes * each,
            full_page_bytes=self.written.full_page_bytes * each,
            pages_read=self.written.pages_read * each,
            errors=load.errors,
        )


def median_cost(runs: Sequence[Run]) -> Cost:
    """Return the median of each number, and the sum of the errors."""
    costs = [vars(run.cost) for run in runs]
    medians = {name: median(cost[name] for cost in costs) for name in costs[0]}
    return replace(Cost(**medians), errors=sum(run.load.errors for run in runs))


class Measurement:
    """The services that run with a database. One of them caches no sessions."""

    def __init__(self, database: Database, groups: Groups, at: Conditions, runs: int) -> None:
        self.database, self.groups, self.at, self.runs = database, groups, at, runs
        self.world = database.world

    def warm(self, service: Service, uncached: Service) -> dict[str, Cost]:
        """Measure all rows in turn, after a warm-up. Each run begins after a checkpoint."""
        bench = Bench(self.world, self.groups.warm)
        rows = [
            ServiceRow(bench, uncached if row is UNCACHED else service, row) for row in WARM_ROWS
        ]
        for one in rows:
            bench.warm_up(one.service, one.row)
            wait_until_idle(one.service.pid)
        measured: dict[Row, list[Run]] = {row: [] for row in WARM_ROWS}
        for _ in range(self.runs):
            for one in rows:
                measured[one.row].append(self.run_once(one))
        return {row.name: median_cost(runs) for row, runs in measured.items()}

    def compressed(self, service: Service) -> Cost:
        """Measure logins of known users with wal_compression."""
        one = ServiceRow(Bench(self.world, self.groups.warm), service, KNOWN)
        set_compression(self.world.database_url, COMPRESSED)
        try:
            return median_cost([self.run_once(one) for _ in range(self.runs)])
        finally:
            set_compression(self.world.database_url, "off")

    def cold(self, service: Service, uncached: Service) -> dict[str, Cost]:
        """Measure rows after a restart of PostgreSQL with empty caches. Each user sends once."""
        costs = {}
        for row in COLD_ROWS:
            of_row = uncached if row is UNCACHED else service
            runs = []
            for people in self.groups.cold:
                say(f"  restart with cold caches: {row.name}")
                self.database.restart_cold()
                wait_until_ready(service)
                wait_until_ready(uncached)
                bench = Bench(self.world, people)
                bench.check(of_row, row)
                runs.append(self.run_once(ServiceRow(bench, of_row, row)))
            costs[row.name] = median_cost(runs)
        return costs

    def run_once(self, one: ServiceRow) -> Run:
        """Run a row once after a checkpoint."""
        url = self.world.database_url
        feed = one.bench.prepare(one.row, self.at.seconds)
        checkpoint(url)
        before = read_usage(url)
        load, spent = drive_once(one, feed, self.at)
        data = self.world.folder / "postgres"
        return Run(load, spent, written_between(data, before, read_usage(url)))


def wait_until_ready(service: Service) -> None:
    """Wait until the service has connected to the restarted database."""
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        with suppress(requests.RequestException):
            if requests.get(f"{service.url}/readyz", timeout=5).status_code == HTTPStatus.OK:
                return
        time.sleep(0.1)
    raise RunFailed("the service does not find the restarted database")


def set_compression(url: str, method: str) -> None:
    """Set wal_compression of the running server."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET wal_compression = {method}".encode())
        connection.execute("SELECT pg_reload_conf()")
    time.sleep(0.5)

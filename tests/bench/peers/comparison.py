"""The measurements of `make bench-peers`, and the comparison with the targets."""

from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.data.people import sample
from tests.bench.data.rows import Bench
from tests.bench.data.tables import MEASURED, results_of, save, table
from tests.bench.data.world import WORKERS, World
from tests.bench.load import driving
from tests.bench.load.targets import Target, ratio_of, targets_table
from tests.bench.machine import machine, of_database
from tests.bench.measuring import Conditions, Measured, ServiceRow, measure_in_turn
from tests.bench.peers import better_auth, wafer, wxpass
from tests.bench.peers.compared_service import ComparedService, Kind, label_of
from tests.bench.peers.servers import PROCESSES, Servers, find_node
from tests.bench.peers.success_checks import check_responses
from tests.bench.progress import say

HEADER = ("request", "service", "processes", *MEASURED)
# The lower bounds of the rate of wxpass, divided by that of better-auth with two processes.
BOUNDS = {Kind.CHECK: 5.0, Kind.KNOWN: 1.0, Kind.NEW: 1.0}

# Node.js compiles functions that run often. After about 5,000 requests, a login takes half of the
# CPU time that each of the first 500 takes.
WARM_UP_REQUESTS = 5_000
WARM_UP_CONNECTIONS, WARM_UP_SECONDS = 16, 2

# The kind of a row, the name of the service and its number of processes.
Key = tuple[Kind, str, int]
Results = Mapping[Key, Measured]


def compare(made: World, packages: Path, options: Namespace) -> None:
    """Run all measurements, and print and save the report."""
    bench = Bench(made, sample(options.users, options.people))
    parts = [heading(made), explanation_of(options)]
    targets: list[Target] = []
    with services(bench, Servers(made, packages), options.users) as found:
        for compared in found:
            check_responses(compared, bench)
            warm_up(compared, bench)
        for connections in options.connections:
            at = Conditions(connections, 0, options.seconds)
            results = measure_services(bench, found, at)
            parts += [f"## {connections} connections", results_table(results)]
            targets += targets_of(results, connections)
    parts += ["## Targets", targets_table(targets)]
    save("\n\n".join(parts), made.folder / "peers.md")


@contextmanager
def services(bench: Bench, servers: Servers, users: int) -> Iterator[Sequence[ComparedService]]:
    """Run all services inside the block. The database of each has the same people."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(wxpass.running(bench.world)),
            *stack.enter_context(better_auth.running(servers, bench.people, users)),
            *stack.enter_context(wafer.running(servers, users)),
        ]


def warm_up(compared: ComparedService, bench: Bench) -> None:
    """Send 5,000 requests of each row."""
    for row in compared.rows.values():
        sent = 0
        while sent < WARM_UP_REQUESTS:
            feed = bench.prepare(row, WARM_UP_SECONDS)
            load = feed.drive(compared.service, WARM_UP_CONNECTIONS, WARM_UP_SECONDS)
            if load.errors or not load.requests:
                raise SystemExit(f"{row.name}: {load.errors} errors while warming up")
            sent += load.requests
            say(f"  warming up, {row.name}: {load.rate:.0f}/s")


def measure_services(bench: Bench, found: Sequence[ComparedService], at: Conditions) -> Results:
    """Measure all rows in turn."""
    rows = {
        (kind, one.name, one.processes): ServiceRow(bench, one.service, one.rows[kind])
        for kind in Kind
        for one in found
        if kind in one.rows
    }
    return dict(zip(rows, measure_in_turn([*rows.values()], at), strict=True))


def heading(made: World) -> str:
    """Return the title and the description of the machine and the programs."""
    programs = f"{driving.version()}. {find_node()}. {of_database(made)}"
    return f"# Comparison with other services\n\n{machine()}. {programs}"


def explanation_of(options: Namespace) -> str:
    """Return the paragraph that explains the tables."""
    return (
        f"Each database has {options.users:,} users with two sessions each. {options.people:,} of "
        "them, drawn uniformly, are under load, with WeChat at 0 ms. Each row is the median of 3 "
        f"runs of {options.seconds} s, all rows in turn, after {WARM_UP_REQUESTS:,} requests. An "
        "error voids its row. CPU ms: of all processors, per request, in the service and in "
        "PostgreSQL (PG)."
    )


def results_table(results: Results) -> str:
    """Return the Markdown table of all rows."""
    return table(
        HEADER,
        [(kind, name, str(many), *results_of(one)) for (kind, name, many), one in results.items()],
    )


def targets_of(results: Results, connections: int) -> list[Target]:
    """Return the targets for the rates of wxpass and better-auth with two processes."""
    base = label_of(better_auth.NAME, PROCESSES[-1])
    return [
        Target(
            f"{kind}, wxpass / {base}, req/s, {connections} connections",
            ratio_of(
                results[kind, wxpass.NAME, WORKERS], results[kind, better_auth.NAME, PROCESSES[-1]]
            ),
            bound,
        )
        for kind, bound in BOUNDS.items()
    ]

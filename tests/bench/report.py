"""The measurements of `make bench`, and the comparison with the targets."""

from argparse import Namespace
from collections.abc import Iterator, Sequence
from statistics import quantiles

from tests.bench.booting import measure_boots
from tests.bench.counted_trips import count_trips
from tests.bench.data.ended_sessions import Ending, measure_endings
from tests.bench.data.people import Person, sample
from tests.bench.data.rows import (
    BARE_LOGIN,
    BIND,
    FIRST_VERIFY,
    FLOOR,
    KNOWN,
    ME,
    NEW,
    REFRESH,
    ROWS,
    VERIFY,
    WSGI,
    Bench,
    Row,
)
from tests.bench.data.tables import results_table, save
from tests.bench.data.world import WORKERS, World
from tests.bench.load import driving
from tests.bench.load.targets import Target, at_most, ratio_of, targets_table
from tests.bench.machine import machine, of_database
from tests.bench.measuring import Conditions, Measured, measure
from tests.bench.memory import measure_memory

IN_FLIGHT = 500
# Long enough for several rounds of the concurrent requests. There are more users than concurrent
# requests, because two logins of one user wait for each other.
IN_FLIGHT_SECONDS = 15
IN_FLIGHT_USERS = 10 * IN_FLIGHT
POOL_OF_ALL = 10

Results = dict[tuple[int, int], dict[Row, Measured]]


def measure_everything(made: World, options: Namespace) -> None:
    """Run all measurements, and print and save the report.

    If a measurement fails, the results of the earlier measurements are saved.
    """
    drawn = sample(options.users, options.people + options.endings + IN_FLIGHT_USERS)
    bench, others = Bench(made, drawn[: options.people]), drawn[options.people :]
    to_end, in_flight = others[: options.endings], others[options.endings :]
    parts = [f"# Bench\n\n{machine()}. {driving.version()}. {of_database(made)}"]
    parts.append(explanation_of(options))
    results: Results = {}
    try:
        parts += measure_rows(bench, options, results)
        targets = list(measure_targets(bench, options, to_end, in_flight))
        parts += ["## Targets", targets_table([*targets_of(results, options), *targets])]
    finally:
        save("\n\n".join(parts), made.folder / "bench.md")


def measure_rows(bench: Bench, options: Namespace, results: Results) -> Iterator[str]:
    """Measure every row under all conditions. Yield a heading and a table for each condition.

    The measurements are added to `results`, by delay and number of connections.
    """
    trips = count_trips(bench)
    with bench.world.serving() as service:
        for at in conditions_of(options):
            rows = [row for row in ROWS if row.asks_wechat or not at.delay]
            measured = measure(bench, service, rows, at)
            results[at.delay, at.connections] = measured
            yield f"## {at.connections} connections, WeChat at {at.delay} ms"
            yield results_table(measured, results[0, at.connections][FLOOR], trips)


def measure_targets(
    bench: Bench, options: Namespace, to_end: Sequence[Person], in_flight: Sequence[Person]
) -> Iterator[Target]:
    """Measure the targets that need their own runs.

    `in_flight` are people who have not logged in before, so that none reaches the session limit.
    Sessions are ended last, because requests with ended sessions would count as errors.
    """
    yield waiting_target(bench.world, in_flight)
    yield from startup_targets(bench.world, bench.people[0])
    yield memory_target(bench, options.users)
    with bench.world.serving() as service:
        yield from ending_targets(measure_endings(bench, service, to_end))


def conditions_of(options: Namespace) -> Sequence[Conditions]:
    """Return the conditions to measure under.

    Conditions without delay come first, because the floor is measured under them only.
    """
    return [
        Conditions(connections, delay, options.seconds)
        for delay in sorted({0, *options.delays})
        for connections in options.connections
    ]


def explanation_of(options: Namespace) -> str:
    """Return the paragraph that explains the tables."""
    return (
        f"{options.users:,} users over 1,000 tenants and 2,000 apps; {options.people:,} of them, "
        f"drawn uniformly, are under load, with two sessions each. gunicorn with {WORKERS} "
        f"workers. Medians of 3 runs of {options.seconds} s after a warm-up, the rows in turn; an "
        "error voids its row. CPU ms: of all processors, per request, in gunicorn and in "
        "PostgreSQL (PG). SQL trips: round trips to PostgreSQL per request, counted on the wire."
    )


def targets_of(results: Results, options: Namespace) -> list[Target]:
    """Return the targets for the ratio of two rows, for each number of connections."""
    compared = (
        (VERIFY, WSGI, 0.7),
        (VERIFY, FLOOR, 1.2),
        (FIRST_VERIFY, VERIFY, 0.5),
        (ME, FLOOR, 0.75),
        (KNOWN, BARE_LOGIN, 1.0),
        (NEW, BARE_LOGIN, 0.9),
        (BIND, BARE_LOGIN, 0.7),
        (REFRESH, BARE_LOGIN, 1.0),
    )
    return [
        Target(
            f"{row.name} / {base.name}, req/s, {connections} connections",
            ratio_of(results[0, connections][row], results[0, connections][base]),
            bound,
        )
        for row, base, bound in compared
        for connections in options.connections
    ]


def waiting_target(made: World, people: Sequence[Person]) -> Target:
    """Measure whether logins per second stay the same if WeChat takes 200 ms to respond."""
    bench, rates = Bench(made, people), []
    with made.serving(pool=POOL_OF_ALL // WORKERS) as service:
        for delay in (0, 200):
            at = Conditions(IN_FLIGHT, delay, IN_FLIGHT_SECONDS)
            rates.append(measure(bench, service, [KNOWN], at)[KNOWN])
    label = (
        f"logins/s, WeChat at 200 ms / at 0 ms, {IN_FLIGHT} in flight, {POOL_OF_ALL} connections"
    )
    shown = " against ".join(f"{one.rate:.0f}" if one.counts else "void" for one in rates[::-1])
    return Target(f"{label} ({shown})", ratio_of(rates[1], rates[0]), 0.9)


def ending_targets(endings: Sequence[Ending]) -> list[Target]:
    """Return the targets for the time until every worker rejects an ended session."""
    received, requested = (
        [getattr(ending, name) for ending in endings] for name in ("received", "requested")
    )
    p99 = quantiles(received, n=100, method="inclusive")[98]
    what = f"last 204 of {len(endings)} ended sessions after the ending call's answer"
    return [
        at_most(f"{what}, p99", p99, 100, "ms"),
        at_most(f"{what}, longest", max(received), 1000, "ms"),
        at_most("the same, but when it was asked for, longest", max(requested), 1000, "ms"),
    ]


def startup_targets(made: World, person: Person) -> list[Target]:
    """Measure the startup time of the service. Return the targets with the measured values."""
    boot = measure_boots(made.environ, person.token(0))
    whole = boot["import"] + boot["answer"]
    return [
        at_most("create_app to first answer", boot["answer"], 1.5, "s"),
        at_most("the same, with `from app import create_app` before", whole, 1.5, "s"),
    ]


def memory_target(bench: Bench, users: int) -> Target:
    """Measure the memory of a worker. Return the target with the measured value."""
    sessions, megabytes = measure_memory(bench, users)
    label = f"resident memory of a worker after {sessions:,} sessions"
    return at_most(label, megabytes, 150, "MB")

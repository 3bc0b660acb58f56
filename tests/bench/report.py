"""All that `make bench` measures, and what it says of the targets."""

from argparse import Namespace
from collections.abc import Iterator, Sequence
from statistics import quantiles

from tests.bench.booting import measure_boots
from tests.bench.counted_trips import count_trips
from tests.bench.data.ended_sessions import Ending, measure_endings
from tests.bench.data.people import Person, sample
from tests.bench.data.rows import BARE_LOGIN, FLOOR, KNOWN, ME, ROWS, VERIFY, Bench, Row
from tests.bench.data.tables import results_table, save
from tests.bench.data.world import WORKERS, World
from tests.bench.load import driving
from tests.bench.load.targets import Target, at_most, ratio_of, targets_table
from tests.bench.machine import machine, of_database
from tests.bench.measuring import Conditions, Measured, measure
from tests.bench.memory import measure_memory

IN_FLIGHT = 500
# Long enough for several rounds of as many as are in flight, and more people than that: two logins
# of one person wait for each other.
IN_FLIGHT_SECONDS = 15
IN_FLIGHT_PEOPLE = 10 * IN_FLIGHT
POOL_OF_ALL = 10

Results = dict[tuple[int, int], dict[Row, Measured]]


def measure_everything(made: World, options: Namespace) -> None:
    """Measure, print and save; what was measured is kept, whatever happens to the rest."""
    drawn = sample(options.users, options.people + options.endings)
    bench, to_end = Bench(made, drawn[: options.people]), drawn[options.people :]
    parts = [f"# Bench\n\n{machine()}. {driving.version()}. {of_database(made)}"]
    parts.append(explained(options))
    results: Results = {}
    try:
        parts += measure_rows(bench, options, results)
        targets = list(measure_targets(bench, options, to_end))
        parts += ["## Targets", targets_table([*targets_of(results, options), *targets])]
    finally:
        save("\n\n".join(parts), made.folder / "bench.md")


def measure_rows(bench: Bench, options: Namespace, results: Results) -> Iterator[str]:
    """Measure every row under all conditions, and write a table for each of these."""
    trips = count_trips(bench)
    with bench.world.serving() as service:
        for at in conditions_of(options):
            rows = [row for row in ROWS if row.asks_wechat or not at.delay]
            measured = measure(bench, service, rows, at)
            results[at.delay, at.connections] = measured
            yield f"## {at.connections} connections, WeChat at {at.delay} ms"
            yield results_table(measured, results[0, at.connections][FLOOR], trips)


def measure_targets(bench: Bench, options: Namespace, to_end: Sequence[Person]) -> Iterator[Target]:
    """Measure what is not in the rows; sessions end last, for an ended one would be an error."""
    yield waiting_target(bench.world, options.users)
    yield from boot_targets(bench.world, bench.people[0])
    yield memory_target(bench, options.users)
    with bench.world.serving() as service:
        yield from ending_targets(measure_endings(bench, service, to_end))


def conditions_of(options: Namespace) -> Sequence[Conditions]:
    """Say under which conditions the rows are measured; without any delay first, for the floor."""
    return [
        Conditions(connections, delay, options.seconds)
        for delay in sorted({0, *options.delays})
        for connections in options.connections
    ]


def explained(options: Namespace) -> str:
    """Say how to read the tables."""
    return (
        f"{options.users:,} users over 1,000 tenants and 2,000 apps; {options.people:,} of them, "
        f"drawn uniformly, come under load, with two sessions each. gunicorn with {WORKERS} "
        f"workers. Medians of 3 runs of {options.seconds} s after a warm-up, the rows in turn; an "
        "error voids its row. CPU ms: of all processors, per request, in gunicorn and in "
        "PostgreSQL (PG). SQL trips: round trips to PostgreSQL per request, counted on the wire."
    )


def targets_of(results: Results, options: Namespace) -> list[Target]:
    """Compare rows, at each number of connections."""
    compared = ((VERIFY, FLOOR, 0.85), (ME, FLOOR, 0.75), (KNOWN, BARE_LOGIN, 1.0))
    return [
        Target(
            f"{ours.name} / {theirs.name}, req/s, {connections} connections",
            ratio_of(results[0, connections][ours], results[0, connections][theirs]),
            bound,
        )
        for ours, theirs, bound in compared
        for connections in options.connections
    ]


def waiting_target(made: World, users: int) -> Target:
    """Compare logins at a slow WeChat with those at one that answers at once."""
    bench, rates = Bench(made, sample(users, IN_FLIGHT_PEOPLE)), []
    with made.serving(pool=POOL_OF_ALL // WORKERS) as service:
        for delay in (0, 200):
            at = Conditions(IN_FLIGHT, delay, IN_FLIGHT_SECONDS)
            rates.append(measure(bench, service, [KNOWN], at)[KNOWN])
    told = f"logins/s, WeChat at 200 ms / at 0 ms, {IN_FLIGHT} in flight, {POOL_OF_ALL} connections"
    shown = " against ".join(f"{one.rate:.0f}" if one.counts else "void" for one in rates[::-1])
    return Target(f"{told} ({shown})", ratio_of(rates[1], rates[0]), 0.9)


def ending_targets(endings: Sequence[Ending]) -> list[Target]:
    """Say how long ended sessions still answer."""
    came, asked = ([getattr(one, name) for one in endings] for name in ("came", "asked"))
    p99 = quantiles(came, n=100, method="inclusive")[98]
    what = f"last 204 of {len(endings)} ended sessions after the ending call's answer"
    return [
        at_most(f"{what}, p99", p99, 100, "ms"),
        at_most(f"{what}, longest", max(came), 1000, "ms"),
        at_most("the same, but when it was asked for, longest", max(asked), 1000, "ms"),
    ]


def boot_targets(made: World, person: Person) -> list[Target]:
    """Say how long it takes to begin."""
    boot = measure_boots(made.environ, person.token(0))
    whole = boot["import"] + boot["answer"]
    return [
        at_most("create_app to first answer", boot["answer"], 1.5, "s"),
        at_most("the same, with `from app import create_app` before", whole, 1.5, "s"),
    ]


def memory_target(bench: Bench, users: int) -> Target:
    """Say how large a worker grows."""
    sessions, megabytes = measure_memory(bench, users)
    told = f"resident memory of a worker after {sessions:,} sessions"
    return at_most(told, megabytes, 150, "MB")

"""The computed tables of docs/scaling.md."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.bench.data.tables import table
from tests.bench.scale.distributed import Factors, distributed_cores
from tests.bench.scale.model import (
    OPERATIONS,
    Capacity,
    Measured,
    capacity_of,
    observed,
    predicted,
    stored_sessions,
)
from tests.bench.scale.wording import Language

CAPACITIES = (1_000_000, 100_000_000, 1_000_000_000)
DISTRIBUTED = CAPACITIES[1:]
CLIENTS_AT = 100_000_000
# The size from which the other sizes are predicted.
BASE_USERS = 1_000_000
THOUSAND, TEN = 1_000, 10


@dataclass(frozen=True)
class Inputs:
    """The inputs of the model: measurements by size, daily use, and the assumed servers.

    `citus` has the factors of a distributed database by part and operation.
    """

    measured: Sequence[Measured]
    use: Mapping[str, float]
    server: Mapping[str, float]
    citus: Factors

    @property
    def sizes(self) -> list[Measured]:
        """The measurements that the model uses: with CPU times as on an idle machine."""
        return [size.on_idle_machine(self.use["floor_ms"]) for size in self.measured]

    @property
    def base(self) -> Measured:
        """The size from which the other measured sizes are predicted."""
        return next(size for size in self.sizes if size.users == BASE_USERS)

    @property
    def costs(self) -> Measured:
        """The measurements for larger sizes: those with the most users that have them."""
        sizes = sorted(self.sizes, key=lambda size: size.users)
        numbers = {name: value for size in sizes for name, value in size.numbers.items()}
        return Measured(sizes[-1].users, numbers)

    def capacity(self, users: float, **changed: float) -> Capacity:
        """Return the capacity for a number of users, with some values of daily use changed."""
        return capacity_of(users, self.costs, {**self.use, **changed})


def shown(number: float | None) -> str:
    """Return a number with three digits, or all before the decimal point."""
    if number is None:
        return "–"
    if number >= THOUSAND:
        return f"{number:,.0f}"
    digits = 1 if number >= TEN else 2 if number >= 1 else 3
    return f"{number:.{digits}f}" if number else "0"


def whole(number: float) -> str:
    """Return a number rounded up."""
    return f"{math.ceil(number):,}"


def percent(share: float) -> str:
    """Return a share in percent."""
    return f"{100 * share:,.1f} %" if share < 1 else f"{100 * share:,.0f} %"


def capacity_table(inputs: Inputs, language: Language) -> str:
    """Return the table of the machines for each number of users."""
    words, use = language.words, inputs.use
    sizes = [inputs.capacity(users) for users in CAPACITIES]
    rows = [(words["active"], *(shown(users * use["daily_active"] / 100) for users in CAPACITIES))]
    rows += [
        (
            words["per_second"].format(words.operation(name)),
            *(shown(size.load.peak[name]) for size in sizes),
        )
        for name in (*OPERATIONS, "last_use")
    ]
    rows.append((words["sessions"], *(shown(stored_sessions(size.load, use)) for size in sizes)))
    rows.append((words["workers"], *(whole(size.workers) for size in sizes)))
    hosts = [whole(size.workers / inputs.server["host_cores"]) for size in sizes]
    rows.append((words["hosts"], *hosts))
    rows.append((words["service_gb"], *(whole(size.service_gb) for size in sizes)))
    rows.append((words["deployments"], *(f"{size.deployments:,}" for size in sizes)))
    rows.append((words["notified"], *(percent(size.notified_share) for size in sizes)))
    rows += [(words[name], *(shown(value) for value in of)) for name, of in _of_database(sizes)]
    for name, part in (("direct", "direct_connections"), ("pooled", "pooled_connections")):
        rows.append((words[name], *(whole(getattr(size, part)) for size in sizes)))
    rows.append((words["retention"], *(shown(size.retention_hours) for size in sizes)))
    return table((words["users"], *map(words.users, CAPACITIES)), rows)


def _of_database(sizes: Sequence[Capacity]) -> list[tuple[str, list[float]]]:
    return [
        ("cores", [size.cores for size in sizes]),
        ("often_read", [size.often_read_gb for size in sizes]),
        ("disk_gb", [size.disk_gb for size in sizes]),
        ("cold_reads", [size.cold_reads for size in sizes]),
        ("wal_day", [size.wal_gb_per_day for size in sizes]),
        ("wal_second", [size.wal_mb_per_second for size in sizes]),
        ("notifying", [size.notifying_commits for size in sizes]),
    ]


def limits_table(inputs: Inputs, language: Language) -> str:
    """Return the table of the resources of a database server, and of the first to saturate."""
    words = language.words
    sizes = [inputs.capacity(users) for users in CAPACITIES]
    shares = [size.shares(inputs.server, inputs.use) for size in sizes]
    rows = [(words.resource(name), *(percent(each[name]) for each in shares)) for name in shares[0]]
    first = [words.resource(max(each, key=lambda name: each[name])) for each in shares]
    rows.append((words["first"], *first))
    rows.append((words["nodes"], *(f"{size.nodes(inputs.server, inputs.use):,}" for size in sizes)))
    return table((words["users"], *map(words.users, CAPACITIES)), rows)


def distributed_table(inputs: Inputs, language: Language) -> str:
    """Return the table of the cores with a single database server and with Citus."""
    words = language.words
    sizes = [inputs.capacity(users) for users in DISTRIBUTED]
    cores = [distributed_cores(size, inputs.costs, inputs.use, inputs.citus) for size in sizes]
    rows = [
        (words["workers"], *(whole(size.workers) for size in sizes)),
        (words["cores"], *(shown(size.cores) for size in sizes)),
        *(
            (words[f"citus_{part}"], *(shown(each[part]) for each in cores))
            for part in ("service", "coordinator", "workers")
        ),
    ]
    return table((words["users"], *map(words.users, DISTRIBUTED)), rows)


def clients_table(inputs: Inputs, language: Language) -> str:
    """Return the comparison of clients that keep their tokens with those that do not."""
    words = language.words
    each = (
        inputs.capacity(CLIENTS_AT),
        inputs.capacity(CLIENTS_AT, logins=inputs.use["launches"], refreshes=0),
    )
    rows = [
        (words["sessions"], *(shown(stored_sessions(one.load, inputs.use)) for one in each)),
        (words["workers"], *(whole(one.workers) for one in each)),
        *((words[name], *(shown(value) for value in of)) for name, of in _of_database(each)),
        (words["nodes"], *(f"{one.nodes(inputs.server, inputs.use):,}" for one in each)),
    ]
    return table((words.users(CLIENTS_AT), words["keeps"], words["forgets"]), rows)


def comparison_table(inputs: Inputs, language: Language) -> str:
    """Return the comparison of predictions with measurements at the other sizes."""
    words, base = language.words, inputs.base
    others = [size for size in inputs.sizes if size.users != base.users]
    header = [words["quantity"], words["base"].format(words.users(base.users))]
    for size in others:
        header += [words["predicted"].format(words.users(size.users)), words["measured"]]
        header.append(words["ratio"])
    rows = []
    for name in predicted(base, base):
        row = [words.meaning(name), shown(observed(base)[name])]
        for size in others:
            expected, found = predicted(base, size)[name], observed(size)[name]
            row += [shown(expected), shown(found), f"{found / expected:.2f}" if expected else "–"]
        rows.append(row)
    return table(header, rows)

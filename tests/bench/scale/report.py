"""The results of `make bench-scale` as Markdown and JSON."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.data.rows import KNOWN, NEW, VERIFY
from tests.bench.data.tables import VOID, table
from tests.bench.load.targets import Target, at_most, targets_table
from tests.bench.scale.measuring import COMPRESSED, Cost
from tests.bench.scale.notifications import NotificationCost
from tests.bench.scale.retention import RetentionCost
from tests.bench.scale.space import Space, TableSpace

COMPARED = (VERIFY, KNOWN, NEW)
MAX_RATIO = 1.2
KILOBYTE, GIGABYTE = 10**3, 10**9
COST_HEADER = (
    *("row", "users", "CPU ms", "CPU ms PG", "p50 ms", "p99 ms", "req/s"),
    *("WAL kB", "of it full pages", "pages read", "errors"),
)
SPACE_HEADER = ("table", "users", "rows", "table MB", "indexes MB", "bytes per row")
TOTALS_HEADER = ("users", "database GB", "bytes per user without sessions", "seconds to fill")
NOTIFICATIONS_HEADER = (
    *("users", "commits/s", "commits/s with a notification"),
    *("CPU ms of each worker per notification", "CPU ms PG per notifying commit"),
)
RETENTION_HEADER = ("retention run", "users", "rows deleted", "seconds", "CPU s", "CPU s PG")


@dataclass(frozen=True)
class Size:
    """All results with one database. `space_after` is the space at the end of all runs."""

    users: int
    fill_seconds: float
    space: Space
    space_after: Space
    warm: Mapping[str, Cost]
    compressed: Cost
    cold: Mapping[str, Cost]
    notifications: NotificationCost
    retention: Mapping[str, RetentionCost]


@dataclass(frozen=True)
class Report:
    """The results of all sizes, and the conditions under which they were measured."""

    conditions: Mapping[str, str]
    sizes: Sequence[Size]

    def save(self, folder: Path) -> None:
        """Write scale.md and scale.json."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "scale.md").write_text(self.markdown + "\n")
        (folder / "scale.json").write_text(json.dumps(asdict(self), indent=1) + "\n")

    @property
    def markdown(self) -> str:
        """The report as Markdown."""
        stated = [f"- {name}: {value}" for name, value in self.conditions.items()]
        parts = ["# Scale", "\n".join(stated)]
        parts += ["## Requests, warm caches", self._costs("warm")]
        parts += ["## Requests after a restart with cold caches", self._costs("cold")]
        compressed = [
            _cost("known login, wal_compression", one, one.compressed) for one in self.sizes
        ]
        parts += [f"## With wal_compression = {COMPRESSED}", table(COST_HEADER, compressed)]
        parts += ["## Notifications", table(NOTIFICATIONS_HEADER, self._notifications())]
        parts += ["## Space", table(SPACE_HEADER, self._spaces())]
        parts += [table(TOTALS_HEADER, self._totals())]
        parts += ["### Indexes", self._indexes()]
        if retention := list(self._retention()):
            parts += ["## Retention", table(RETENTION_HEADER, retention)]
        if len(self.sizes) > 1:
            parts += ["## Targets", targets_table(targets_of(self.sizes[0], self.sizes[-1]))]
        return "\n\n".join(parts)

    def _costs(self, kind: str) -> str:
        measured: dict[str, list[Sequence[str]]] = {}
        for size in self.sizes:
            for name, cost in getattr(size, kind).items():
                measured.setdefault(name, []).append(_cost(name, size, cost))
        return table(COST_HEADER, [row for rows in measured.values() for row in rows])

    def _spaces(self) -> Iterable[Sequence[str]]:
        for size in self.sizes:
            for name, space in size.space.tables.items():
                yield _space(f"`{name}`", size.users, space)
            grown = size.space_after.tables["login_sessions"]
            yield _space("`login_sessions` after all runs", size.users, grown)

    def _totals(self) -> Iterable[Sequence[str]]:
        for size in self.sizes:
            per_user = size.space.bytes_of_users / size.users
            total = f"{size.space.total_bytes / GIGABYTE:,.2f}"
            yield f"{size.users:,}", total, f"{per_user:,.0f}", f"{size.fill_seconds:,.0f}"

    def _notifications(self) -> Iterable[Sequence[str]]:
        for size in self.sizes:
            cost = size.notifications
            rates = (f"{cost.commits:,.0f}", f"{cost.notifying_commits:,.0f}")
            yield f"{size.users:,}", *rates, f"{cost.worker:.3f}", f"{cost.database:.2f}"

    def _indexes(self) -> str:
        header = ("index", *(f"MB at {size.users:,}" for size in self.sizes))
        names = self.sizes[-1].space.indexes
        rows = [
            (f"`{name}`", *(f"{size.space.indexes[name] / 1e6:,.1f}" for size in self.sizes))
            for name in names
        ]
        return table(header, rows)

    def _retention(self) -> Iterable[Sequence[str]]:
        for size in self.sizes:
            for name, cost in size.retention.items():
                seconds = [f"{part:.1f}" for part in (cost.seconds, cost.service, cost.database)]
                yield name, f"{size.users:,}", f"{cost.deleted:,}", *seconds


def targets_of(smallest: Size, largest: Size) -> list[Target]:
    """Return the targets for the ratio of the 99th percentiles at the largest and smallest size."""
    return [
        at_most(
            f"{row.name}, p99 at {largest.users:,} users / at {smallest.users:,}",
            largest.warm[row.name].p99 / smallest.warm[row.name].p99,
            MAX_RATIO,
        )
        for row in COMPARED
    ]


def _cost(name: str, size: Size, cost: Cost) -> Sequence[str]:
    label = (name, f"{size.users:,}")
    if cost.errors or not cost.rate:
        return *label, *[VOID] * 8, str(cost.errors)
    times = [f"{part:.2f}" for part in (cost.service, cost.database)]
    latency = [f"{part:.1f}" for part in (cost.p50, cost.p99)]
    written = cost.record_bytes + cost.full_page_bytes
    wal = [f"{part / KILOBYTE:.1f}" for part in (written, cost.full_page_bytes)]
    return *label, *times, *latency, f"{cost.rate:.0f}", *wal, f"{cost.pages_read:.1f}", "0"


def _space(label: str, users: int, space: TableSpace) -> Sequence[str]:
    megabytes = [f"{part / 1e6:,.1f}" for part in (space.table_bytes, space.index_bytes)]
    return label, f"{users:,}", f"{space.rows:,}", *megabytes, f"{space.bytes_per_row:,.0f}"

"""The verdict on memory, file descriptors and threads, and their table.

Processes that replace others start with fresh memory, which would hide a leak. So the verdict uses
the longest generation of workers, that is, the longest time in which no worker was replaced.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from tests.bench.data.tables import table
from tests.soak.usage import MEGABYTE, Usage

# A worker has imported and cached what it needs when it has run for this time.
WARM_SECONDS = 600.0
# A generation is judged if it lasted for this time.
JUDGED_SECONDS = 1200.0
# The measurements of this time are combined.
WINDOW_SECONDS = 120.0
GROWTH = 0.10
# File descriptors and threads are few, so a few more are no growth.
TOLERATED = 10
EVERY_SECONDS = 300.0
HEADER = (
    "minute",
    "workers since",
    "own memory of workers",
    "resident",
    "master",
    "file descriptors",
    "threads",
    "connections",
    "dead rows",
    "database",
    "temporary files",
)


@dataclass(frozen=True)
class Growth:
    """The growth of a quantity from the tenth minute of a generation to its end."""

    name: str
    at_ten: float
    at_end: float
    unit: str = ""

    @property
    def ratio(self) -> float:
        """Return the growth, 0.1 for 10 %."""
        return self.at_end / self.at_ten - 1

    def __str__(self) -> str:
        """Return a text such as `memory: 120.1 → 121.0 MB (+0.7 %)`."""
        values = f"{self.at_ten:,.1f} → {self.at_end:,.1f}{self.unit}"
        return f"{self.name}: {values} ({self.ratio:+.1%})"


def longest_generation(measured: Sequence[Usage]) -> list[Usage]:
    """Return the measurements of the workers that ran longest."""
    if not measured:
        return []
    longest = max(measured, key=lambda one: one.age).generation
    return [one for one in measured if one.generation == longest]


def growths(measured: Sequence[Usage]) -> list[Growth]:
    """Return the growth of each quantity, or nothing if no generation lasted long enough."""
    generation = longest_generation(measured)
    if not generation or generation[-1].age < JUDGED_SECONDS:
        return []
    ended = generation[-1].age
    warm = [one for one in generation if abs(one.age - WARM_SECONDS) <= WINDOW_SECONDS / 2]
    late = [one for one in generation if one.age > ended - WINDOW_SECONDS]
    if not warm:
        return []

    def grown(name: str, value: Callable[[Usage], float], unit: str = "") -> Growth:
        return Growth(name, median(map(value, warm)), median(map(value, late)), unit)

    return [
        grown("own memory of the workers", lambda one: one.own / MEGABYTE, " MB"),
        grown("resident memory of the workers", lambda one: one.resident / MEGABYTE, " MB"),
        grown("file descriptors", lambda one: one.files),
        grown("threads", lambda one: one.threads),
    ]


def leaks(measured: Sequence[Usage]) -> list[str]:
    """Return what has grown by more than the target."""
    return [
        str(one)
        for one in growths(measured)
        if one.ratio > GROWTH and (one.unit or one.at_end > one.at_ten + TOLERATED)
    ]


def memory_table(measured: Sequence[Usage], begun: float, every: float = EVERY_SECONDS) -> str:
    """Return the Markdown table with a row for every five minutes."""
    rows, due = [], begun
    for one in measured:
        if one.moment >= due:
            rows.append(_row(one, begun))
            due += every
    if measured and measured[-1].moment > due - every / 2:
        rows.append(_row(measured[-1], begun))
    return table(HEADER, rows)


def _row(one: Usage, begun: float) -> Sequence[str]:
    masters = sum(master.resident for master in one.masters)
    return (
        f"{(one.moment - begun) / 60:.0f}",
        f"{(one.since - begun) / 60:.1f}",
        f"{one.own / MEGABYTE:.1f} MB",
        f"{one.resident / MEGABYTE:.1f} MB",
        f"{masters / MEGABYTE:.1f} MB",
        str(one.files),
        str(one.threads),
        _shown(one.connections),
        _shown(one.dead_rows),
        "–" if one.database_bytes is None else f"{one.database_bytes / MEGABYTE:.0f} MB",
        str(one.temporary_files),
    )


def _shown(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"

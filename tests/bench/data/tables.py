"""Formatting of results as Markdown tables."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.bench.data.rows import Row
from tests.bench.measuring import Measured

VOID = "void"
HEADER = (
    *("row", "req/s", "to the floor", "p50 ms", "p99 ms"),
    *("CPU ms", "CPU ms PG", "SQL trips", "errors"),
)

MEASURED = ("req/s", "p50 ms", "p99 ms", "CPU ms", "CPU ms PG", "errors")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table. All columns but the first are aligned to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def results_of(measured: Measured) -> Sequence[str]:
    """Return the cells of a row below MEASURED: rate, latency, CPU time and errors."""
    if not measured.counts:
        return *[VOID] * 5, str(measured.errors)
    return f"{measured.rate:.0f}", *costs_of(measured), "0"


def costs_of(measured: Measured) -> Sequence[str]:
    """Return the cells with latency and CPU time of a row, in milliseconds."""
    return (
        f"{measured.p50:.1f}",
        f"{measured.p99:.1f}",
        f"{measured.service:.2f}",
        f"{measured.database:.2f}",
    )


def results_table(
    results: Mapping[Row, Measured], floor: Measured, trips: Mapping[Row, float]
) -> str:
    """Return the Markdown table of rows measured under the same conditions.

    `floor` is the bare Flask view, and `trips` are the SQL round trips per request.
    """
    return table(HEADER, [_cells(*result, floor, trips) for result in results.items()])


def _cells(
    row: Row, measured: Measured, floor: Measured, trips: Mapping[Row, float]
) -> Sequence[str]:
    if not measured.counts:
        return row.name, *[VOID] * 7, str(measured.errors)
    ratio = f"{measured.rate / floor.rate:.2f}" if floor.counts else VOID
    costs = costs_of(measured)
    return row.name, f"{measured.rate:.0f}", ratio, *costs, f"{trips[row]:.1f}", "0"


def save(text: str, path: Path) -> None:
    """Write a report to a file and print it."""
    path.write_text(text + "\n")
    print(text, flush=True)

"""The tables of docs/scaling.md: `python -m tests.bench.scale.page [var/bench/scale.json]`.

The command computes the tables of both pages again from their inputs. With a scale.json, it also
replaces the measurements. A test compares the pages with the result.
"""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from config.development import ROOT
from tests.bench.data.tables import table
from tests.bench.scale import tables
from tests.bench.scale.measurements import read_sizes
from tests.bench.scale.model import Measured
from tests.bench.scale.wording import Language

PAGES = {
    Language.ENGLISH: ROOT / "docs" / "scaling.md",
    Language.CHINESE: ROOT / "docs" / "scaling.zh-CN.md",
}
# A table of a page, between two comments.
BLOCK = "<!-- scale: {name} -->\n\n{body}\n\n<!-- end of the table -->"
FOUND = re.compile(BLOCK.format(name=r"([a-z]+)", body=r"(.*?)"), re.DOTALL)
NUMBER = re.compile(r"-?[0-9][0-9,]*(?:\.[0-9]+)?")
COMPUTED: Mapping[str, Callable[[tables.Inputs, Language], str]] = {
    "capacity": tables.capacity_table,
    "limits": tables.limits_table,
    "distributed": tables.distributed_table,
    "clients": tables.clients_table,
    "comparison": tables.comparison_table,
}


@dataclass(frozen=True)
class Page:
    """The text of a page, with tables that have names."""

    text: str

    @property
    def blocks(self) -> dict[str, list[list[str]]]:
        """The cells of each table below its header."""
        return {name: _cells(body) for name, body in FOUND.findall(self.text)}

    def with_table(self, name: str, body: str) -> "Page":
        """Return the page with another table of this name."""
        found = re.compile(BLOCK.format(name=name, body=".*?"), re.DOTALL)
        if len(found.findall(self.text)) != 1:
            raise ValueError(f"the page has no table {name}")
        replacement = BLOCK.format(name=name, body=body)
        return Page(found.sub(lambda _: replacement, self.text))

    @property
    def inputs(self) -> tables.Inputs:
        """The measurements and assumptions that the page states."""
        found = self.blocks
        use, server = (
            {row[0].strip("`"): _number(row[1]) for row in found[name]}
            for name in ("use", "server")
        )
        return tables.Inputs(_measured(found["measured"]), use, server, _factors(found["citus"]))

    def computed(self, language: Language) -> "Page":
        """Return the page with all computed tables."""
        page, inputs = self, self.inputs
        for name, build in COMPUTED.items():
            page = page.with_table(name, build(inputs, language))
        return page


def _cells(body: str) -> list[list[str]]:
    lines = [line for line in body.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def _measured(rows: Sequence[Sequence[str]]) -> list[Measured]:
    """Return the measurements of the table: one column for each size."""
    by_name = {row[0].split("`")[1]: row[1:] for row in rows}
    return [
        Measured(
            int(_number(users)),
            {
                name: _number(cells[column])
                for name, cells in by_name.items()
                if name != "users" and NUMBER.fullmatch(cells[column])
            },
        )
        for column, users in enumerate(by_name["users"])
    ]


def _factors(rows: Sequence[Sequence[str]]) -> dict[str, dict[str, float]]:
    """Return the factors of the table of Citus, by part and operation."""
    parts = ("service", "coordinator", "workers")
    return {
        part: {row[0].strip("`"): _number(row[column]) for row in rows}
        for column, part in enumerate(parts, 1)
    }


def _number(cell: str) -> float:
    return float(cell.replace(",", ""))


def measured_table(sizes: Sequence[Measured], language: Language) -> str:
    """Return the table of the measurements."""
    words = language.words
    header = (words["measurement"], *(words.users(size.users) for size in sizes))
    rows = [(f"`users` {words['users']}", *(f"{size.users:,}" for size in sizes))]
    for name in sizes[0].numbers:
        cells = (tables.shown(size.numbers.get(name)) for size in sizes)
        rows.append((f"`{name}` {words.meaning(name)}", *cells))
    return table(header, rows)


def update(report: Path | None) -> None:
    """Write the tables of both pages."""
    for language, path in PAGES.items():
        page = Page(path.read_text())
        if report is not None:
            _, sizes = read_sizes(report)
            page = page.with_table("measured", measured_table(sizes, language))
        path.write_text(page.computed(language).text)


if __name__ == "__main__":
    update(Path(sys.argv[1]) if sys.argv[1:] else None)

"""Every table, read row by row, and what became of it."""

from datetime import datetime
from typing import Any

from app.extensions import db
from tests.cast import Reader

Row = dict[str, Any]
Tables = dict[str, dict[Any, Row]]

NEW, GONE = "new", "gone"


def read_tables(rows: Reader) -> Tables:
    """Read every row of every table, by its primary key."""
    return {table.name: _read(rows, table) for table in db.metadata.sorted_tables}


def _read(rows: Reader, table: Any) -> dict[Any, Row]:
    names = [column.name for column in table.columns]
    keys = [column.name for column in table.primary_key]
    read = [
        dict(zip(names, row, strict=True))
        for row in rows(f"SELECT {', '.join(names)} FROM {table.name}")
    ]
    return {
        row[keys[0]] if len(keys) == 1 else tuple(row[key] for key in keys): row for row in read
    }


def changes(before: Tables, after: Tables) -> dict[str, Any]:
    """Say which rows are new or gone, and which columns of others have changed, to what."""
    found = {name: _changes_of(before[name], after[name]) for name in before}
    return {name: change for name, change in found.items() if change}


def _changes_of(before: dict[Any, Row], after: dict[Any, Row]) -> dict[Any, Any]:
    found: dict[Any, Any] = dict.fromkeys(before.keys() - after.keys(), GONE)
    found |= dict.fromkeys(after.keys() - before.keys(), NEW)
    for key in before.keys() & after.keys():
        new = {name: value for name, value in after[key].items() if value != before[key][name]}
        if new:
            found[key] = new
    return found


def cells(tables: Tables) -> dict[tuple[str, str], set[str]]:
    """Give every text that stands in a column, bytes in hex."""
    found: dict[tuple[str, str], set[str]] = {}
    for table, content in tables.items():
        for row in content.values():
            for name, value in row.items():
                if value is not None and not isinstance(value, datetime):
                    text = bytes(value).hex() if isinstance(value, bytes | memoryview) else value
                    found.setdefault((table, name), set()).add(str(text))
    return found


def places_of(tables: Tables, texts: set[str]) -> set[tuple[str, str]]:
    """Say in which columns any of some texts stands, whole or in something longer."""
    return {
        place
        for place, held in cells(tables).items()
        if any(text in one for one in held for text in texts)
    }

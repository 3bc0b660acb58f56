"""Read the XLSX file on standard input with calamine and write its cells as JSON.

calamine_rows.py runs this file as a script, because calamine cannot be interrupted, and a file that
makes it allocate too much memory ends its process. The script imports nothing of the service.

The output is a list of the non-empty rows, each with its index. A cell is null, a string,
`{"is": "boolean" | "date" | "error"}`, or a number with its format. The format is its text, the
number of a built-in one, or null if unknown. calamine reads neither formats nor errors, so both are
read from the XML.
"""

import json
import resource
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, time, timedelta
from io import BytesIO
from math import isfinite
from posixpath import join, normpath
from typing import Any
from zipfile import ZipFile

from defusedxml.ElementTree import fromstring, iterparse
from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

MEMORY, CPU_SECONDS = 1 << 30, 10
LONGEST_TEXT, MOST_COLUMNS = 257, 32
LAST_ROW, LAST_COLUMN = 1_048_576, 16_384
MOST_CHARACTERS = 32 * 1024 * 1024
TOO_LARGE = 3  # the exit code

Cell = str | dict[str, object] | None
# The format of each number cell, and "error" for each error cell, by row and column.
Marks = Mapping[tuple[int, int], dict[str, object]]


def main() -> None:
    """Read the file on standard input within limits of memory and time."""
    for limit, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_CPU, CPU_SECONDS)):
        resource.setrlimit(limit, (most, most))
    if sys.platform == "linux":  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    rows, characters = [], 0
    for index, row in _rows(sys.stdin.buffer.read()):
        rows.append((index, row))
        characters += sum(len(cell) for cell in row if isinstance(cell, str))
        if characters > MOST_CHARACTERS:
            sys.exit(TOO_LARGE)
    json.dump(rows, sys.stdout)


def _rows(content: bytes) -> Iterator[tuple[int, Sequence[Cell]]]:
    """Yield the non-empty rows of the first visible sheet with their indexes."""
    book = CalamineWorkbook.from_filelike(BytesIO(content))
    index = next(
        index
        for index, sheet in enumerate(book.sheets_metadata)
        if sheet.visible == SheetVisibleEnum.Visible and sheet.typ == SheetTypeEnum.WorkSheet
    )
    marks = _marks(content, index)
    # calamine returns a row that contains only errors as empty.
    error_rows = {row for (row, _), mark in marks.items() if "is" in mark}
    sheet = book.get_sheet_by_index(index)
    # calamine returns empty rows above the first cell, but not empty columns before it.
    first_column = min(sheet.start[1], MOST_COLUMNS) if sheet.start else 0
    for row, values in enumerate(sheet.iter_rows()):
        if values.count("") == len(values) and row not in error_rows:
            continue
        cells = [*[""] * first_column, *values][:MOST_COLUMNS]
        yield row, [_cell(value, marks.get((row, column))) for column, value in enumerate(cells)]


def _cell(value: object, mark: dict[str, object] | None) -> Cell:
    """Combine the value from calamine with the XML. Raise ValueError if they contradict."""
    if isinstance(value, bool):
        return {"is": "boolean"}
    if isinstance(value, int | float):
        is_number = isfinite(value) and "is" not in (mark or {})
        return {"format": None} | (mark or {}) | {"number": value} if is_number else _error()
    if isinstance(value, date | time | timedelta):
        return {"is": "date"}
    if mark and "is" in mark:
        return mark
    text = str(value)[:LONGEST_TEXT]
    if text and mark:
        raise ValueError("a text in a cell for numbers")
    return text or None


def _error() -> dict[str, object]:
    return {"is": "error"}


def _marks(content: bytes, sheet_index: int) -> Marks:
    with ZipFile(BytesIO(content)) as package:
        names = {name.lower(): name for name in package.namelist()}
        parts = {name: package.read(names[name]) for name in names}
    # Raises ParseError if the strings are truncated, which calamine does not detect.
    fromstring(parts.get("xl/sharedstrings.xml", b"<sst/>"))
    formats = _formats(parts.get("xl/styles.xml", b"<styleSheet/>"))
    sheet = parts[_sheet_name(parts, sheet_index).lower()]
    return dict(_marks_of(sheet, formats))


def _sheet_name(parts: Mapping[str, bytes], index: int) -> str:
    """Return the name of the part that holds a sheet."""
    book = fromstring(parts["xl/workbook.xml"])
    sheet = [one for one in book.iter() if _local(one.tag) == "sheet"][index]
    relation = next(value for name, value in sheet.attrib.items() if name.endswith("}id"))
    relations = fromstring(parts["xl/_rels/workbook.xml.rels"])
    target = next(one.get("Target") for one in relations if one.get("Id") == relation)
    return normpath(join("/xl", target or "")).lstrip("/")


def _formats(styles: bytes) -> Sequence[object]:
    """Return the number format of each cell style."""
    root = fromstring(styles)
    custom = {
        one.get("numFmtId"): one.get("formatCode")
        for one in root.iter()
        if _local(one.tag) == "numFmt"
    }
    cell_styles = (one for one in root.iter() if _local(one.tag) == "cellXfs")
    numbers = [one.get("numFmtId", "0") for parent in cell_styles for one in parent]
    return [custom.get(number) or int(number) for number in numbers] or [0]


def _marks_of(
    sheet: bytes, formats: Sequence[object]
) -> Iterator[tuple[tuple[int, int], dict[str, object]]]:
    row = column = -1
    for event, element in iterparse(BytesIO(sheet), events=("start", "end")):
        name = _local(element.tag)
        if event == "start" and name == "row":
            row, column = int(element.get("r") or row + 2) - 1, -1
        elif event == "start" and name == "c":
            row, column = _position(element.get("r"), row, column + 1)
            if row >= LAST_ROW or column >= LAST_COLUMN:
                raise ValueError("a cell that Excel cannot have, which calamine would move")
            mark = _mark(element.attrib, formats)
            if mark is not None:
                yield (row, column), mark
        elif event == "end" and name == "row":
            element.clear()


def _mark(cell: Mapping[str, str], formats: Sequence[object]) -> dict[str, object] | None:
    kind = cell.get("t", "n")
    if kind == "e":
        return _error()
    style = int(cell.get("s") or 0)
    known = formats[style] if 0 <= style < len(formats) else None
    return {"format": known} if kind == "n" else None


def _position(reference: str | None, row: int, column: int) -> tuple[int, int]:
    """Return the row and column of a reference like B7. Without one, return those given."""
    if not reference:
        return row, column
    letters = reference.rstrip("0123456789")
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter.upper()) - ord("A") + 1
    return int(reference[len(letters) :]) - 1, column - 1


def _local(tag: Any) -> str:
    """Return an element's name without its namespace, which differs in Strict OOXML."""
    return str(tag).rpartition("}")[2]


if __name__ == "__main__":
    main()

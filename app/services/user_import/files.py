"""Read CSV and XLSX files of users into rows, without a tenant or a database."""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from app.errors import UserFileEmpty, UserFileTooLarge, UserFileUnreadable
from app.services.runtime.cpu_threads import on_a_thread
from app.services.user_import.calamine_rows import calamine_rows
from app.services.user_import.cells import Cell, DamagedCell, Row, csv_cell, entered_text
from app.services.user_import.columns import COLUMNS, Header, read_header
from app.services.user_import.csv_rows import csv_rows
from app.services.user_import.xlsx_rows import OpenpyxlFailed, xlsx_rows

LARGEST_FILE = 5 * 1024 * 1024
MOST_PEOPLE = 20_000

XLSX_BEGINS = b"PK\x03\x04"
# The signature of XLSX files with a password, and of the old XLS format.
OLE_BEGINS = b"\xd0\xcf\x11\xe0"
LINE_BREAKS = re.compile(r"[\t\r\n]+")

CellReader = Callable[[Cell], Cell]


@dataclass(frozen=True, slots=True)
class PersonRow:
    """The entered texts of a row. `number` is the row number that Excel shows.

    `damaged` contains the column and the code of each damaged cell. The column is "" for a cell in
    a column without a header.
    """

    number: int
    account: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)
    nickname: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    damaged: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class UserFile:
    """The rows, columns and SHA-256 of a file.

    `ignored` contains the headers of ignored columns. `skipped` is the number of users in an export
    without account and phone, which an import cannot identify.

    The digest is stored only as a keyed hash, because the digest of a file with one phone number
    reveals the number.
    """

    people: Sequence[PersonRow]
    columns: tuple[str, ...]
    digest: str = field(repr=False)
    ignored: tuple[str, ...] = ()
    skipped: int = 0


def read_user_file(content: bytes) -> UserFile:
    """Return the rows of a file. validation.py checks them.

    Raises UserFileTooLarge, UserFileNotSpreadsheet, UserFileBig5, UserFileUnreadable,
    UserFileBusy, UserColumnsWrong or UserFileEmpty.
    """
    if len(content) > LARGEST_FILE:
        raise UserFileTooLarge
    digest = hashlib.sha256(content).hexdigest()
    try:
        return on_a_thread(_read, content, digest)
    except OpenpyxlFailed as failed:
        return on_a_thread(_read_table, calamine_rows(failed.package), _as_it_is, digest)


def _read(content: bytes, digest: str) -> UserFile:
    if content.startswith(OLE_BEGINS):
        raise UserFileUnreadable("XLS, or with a password")
    if content.startswith(XLSX_BEGINS):
        return _read_table(xlsx_rows(content), _as_it_is, digest)
    return _read_table(csv_rows(content), _csv_cell, digest)


def _as_it_is(cell: Cell) -> Cell:
    return cell


def _csv_cell(cell: Cell) -> Cell:
    return csv_cell(cell) if isinstance(cell, str) else cell


def _read_table(table: Iterable[Row], read_cell: CellReader, digest: str) -> UserFile:
    rows = enumerate(table, start=1)
    first = next((row for row in rows if _is_filled(row[1])), None)
    if first is None:
        raise UserFileEmpty
    header = read_header([_header_text(cell) for cell in first[1]])
    people, skipped = _people(rows, header, read_cell)
    if not people:
        raise UserFileEmpty
    return UserFile(people, header.present, digest, header.ignored, skipped)


def _header_text(cell: Cell) -> str:
    """Return the text of a header. A date or an error returns "?", so its column is ignored."""
    return "?" if isinstance(cell, DamagedCell) else cell or ""


def _people(
    rows: Iterable[tuple[int, Row]], header: Header, read_cell: CellReader
) -> tuple[Sequence[PersonRow], int]:
    """Return the rows below the header, and the number of skipped rows of an export."""
    people: list[PersonRow] = []
    size = skipped = 0
    for number, cells in rows:
        if not _is_filled(cells):
            continue
        person = _person(number, cells, header.columns, read_cell)
        if header.is_of_export and _is_anonymous(person):
            skipped += 1
            continue
        people.append(person)
        size += sum(len(getattr(person, column)) for column in COLUMNS)
        if len(people) > MOST_PEOPLE or size > LARGEST_FILE:
            raise UserFileTooLarge
    return people, skipped


def _person(
    number: int, cells: Row, columns: Sequence[str | None], read_cell: CellReader
) -> PersonRow:
    texts, damaged = {}, []
    for index, cell in enumerate(cells):
        column = columns[index] if index < len(columns) else ""
        if cell is None or column is None:
            continue
        read = read_cell(cell) if column else cell
        if isinstance(read, DamagedCell):
            damaged.append((column, read.code if column else "cell_outside_columns"))
        elif column and read is not None:
            texts[column] = _text(column, read)
        elif read and read.strip():
            damaged.append(("", "cell_outside_columns"))
    return PersonRow(number, **texts, damaged=tuple(dict.fromkeys(damaged)))


def _text(column: str, text: str) -> str:
    if column == "password":
        return text
    entered = entered_text(text)
    # Excel inserts line breaks with Alt+Enter. Names are shown on one line.
    return LINE_BREAKS.sub(" ", entered) if column == "nickname" else entered


def _is_anonymous(person: PersonRow) -> bool:
    return not (person.account or person.phone or person.password or person.damaged)


def _is_filled(cells: Row) -> bool:
    # Most empty rows contain only None, and counting is ten times as fast as looking at each cell.
    is_there = cells.count(None) < len(cells)
    return is_there and any(
        isinstance(cell, DamagedCell) or (cell is not None and cell.strip()) for cell in cells
    )

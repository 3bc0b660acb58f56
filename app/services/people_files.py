"""Files of people, CSV or XLSX, read into rows; nothing here knows a tenant or a database."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from app.errors import (
    PeopleColumnsWrong,
    PeopleFileEmpty,
    PeopleFileTooLarge,
    PeopleFileUnreadable,
)
from app.services.csv_rows import csv_rows
from app.services.spreadsheet_cells import CellUnreadable, cell_text, unwrapped
from app.services.threads import on_a_thread
from app.services.xlsx_rows import xlsx_rows

LARGEST_FILE = 5 * 1024 * 1024
MOST_PEOPLE = 20_000

COLUMNS = ("account", "phone", "nickname", "password")
HEADERS = {
    "account": "account",
    "账号": "account",
    "帐号": "account",
    "phone": "phone",
    "手机号": "phone",
    "nickname": "nickname",
    "昵称": "nickname",
    "password": "password",
    "密码": "password",
}
XLSX_BEGINS = b"PK\x03\x04"
# An XLSX with a password, and the XLS of long ago.
OLE_BEGINS = b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True, slots=True)
class PersonRow:
    """What a row says, as it was entered. `number` is what Excel shows beside the row.

    `unread` names the columns whose cell holds something that is no text, or "" for a cell in
    no column.
    """

    number: int
    account: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)
    nickname: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PeopleFile:
    """The people of a file, which columns it has, and its SHA-256 to know it again by.

    The digest tells who is in a file of one phone number, so it is kept only hashed with a key.
    """

    people: Sequence[PersonRow]
    columns: tuple[str, ...]
    digest: str = field(repr=False)


def read_people(content: bytes) -> PeopleFile:
    """Read a file; what is wrong with single rows is not said here, but by the check of people.

    Raises PeopleFileTooLarge, PeopleFileUnreadable, PeopleColumnsWrong or PeopleFileEmpty.
    """
    if len(content) > LARGEST_FILE:
        raise PeopleFileTooLarge
    return on_a_thread(_read, content)


def _read(content: bytes) -> PeopleFile:
    rows = enumerate(_rows(content), start=1)
    header = next((row for row in rows if _is_filled(row[1])), None)
    if header is None:
        raise PeopleFileEmpty
    columns = _columns(header[1])
    people = _people(rows, columns)
    if not people:
        raise PeopleFileEmpty
    digest = hashlib.sha256(content).hexdigest()
    return PeopleFile(people, tuple(filter(None, columns)), digest)


def _rows(content: bytes) -> Iterator[Sequence[object]]:
    if content.startswith(OLE_BEGINS):
        raise PeopleFileUnreadable("XLS, or with a password")
    if content.startswith(XLSX_BEGINS):
        return xlsx_rows(content)
    return csv_rows(content)


def _columns(header: Sequence[object]) -> Sequence[str]:
    """Say which column each cell of a row is in; "" where the header is empty."""
    named = [str(cell or "").strip() for cell in header]
    unknown = [name for name in named if name and name.lower() not in HEADERS]
    columns = [HEADERS.get(name.lower(), "") for name in named]
    present = [column for column in columns if column]
    twice = sorted({column for column in present if present.count(column) > 1})
    if unknown or twice or not {"account", "phone"} & set(present):
        told = {"unknown": [name[:64] for name in unknown], "twice": twice}
        # Not for the log: without a header, these are the first person's account and number.
        shown = "".join(char for char in ", ".join(unknown or twice)[:200] if char.isprintable())
        raise PeopleColumnsWrong("first row", errors={"columns": told}, about=shown)
    return columns


def _people(
    rows: Iterable[tuple[int, Sequence[object]]], columns: Sequence[str]
) -> Sequence[PersonRow]:
    people: list[PersonRow] = []
    size = 0
    for number, cells in rows:
        if not _is_filled(cells):
            continue
        people.append(_person(number, cells, columns))
        size += sum(len(getattr(people[-1], column)) for column in COLUMNS)
        if len(people) > MOST_PEOPLE or size > LARGEST_FILE:
            raise PeopleFileTooLarge
    return people


def _person(number: int, cells: Sequence[object], columns: Sequence[str]) -> PersonRow:
    texts, unread = {}, []
    for index, cell in enumerate(cells):
        column = columns[index] if index < len(columns) else ""
        try:
            text = cell_text(cell)
        except CellUnreadable:
            unread.append(column)
            continue
        if column:
            texts[column] = text if column == "password" else unwrapped(text)
        elif text.strip():
            unread.append("")
    return PersonRow(number, **texts, unread=tuple(dict.fromkeys(unread)))


def _is_filled(cells: Sequence[object]) -> bool:
    # Most rows that are not filled have not even a blank; counting is ten times as fast.
    is_there = cells.count(None) < len(cells)
    return is_there and any(cell is not None and str(cell).strip() for cell in cells)

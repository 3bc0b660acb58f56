"""Read rows of untrusted XLSX files: only the parts with cells, within size limits.

Macros, pictures and links to other files are not unpacked. Formulas are not evaluated: the value
that Excel last stored is read.
"""

import re
import warnings
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import islice, repeat
from operator import is_
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from app.errors import (
    Failure,
    UserFileNotSpreadsheet,
    UserFileTooLarge,
    UserFileUnreadable,
)
from app.services.user_import.cells import UNREADABLE, Cell, Row, value_cell
from app.services.user_import.openpyxl_module import openpyxl

if TYPE_CHECKING:
    from openpyxl.cell.read_only import EmptyCell, ReadOnlyCell

LARGEST_UNPACKED = 32 * 1024 * 1024
# For parts with names and styles, which take long to read for their size.
LARGEST_DESCRIPTION = 256 * 1024
# A row with four cells has about 20 tags in the sheet, and 12 in the texts.
MOST_TAGS = {"sheet": 600_000, "texts": 300_000}
# Links, merged cells and similar tags take openpyxl three times as long. A row often has a link.
MOST_OTHER_TAGS = 50_000
CELL_TAG = re.compile(rb"</?(?:\w+:)?(?:row|c|v|f|is|t)[\s/>]")
MOST_ENTRIES = 1_000
# The last row of Excel. A file can declare any row number.
LAST_ROW = 1_048_576
MOST_COLUMNS = 32
FIRST_CUSTOM_FORMAT = 164
EMPTY_ROW: Row = ()

TEXTS = "xl/sharedstrings.xml"
SHEETS = "xl/worksheets/"
DESCRIPTIONS = {
    "[content_types].xml",
    "_rels/.rels",
    "xl/workbook.xml",
    "xl/_rels/workbook.xml.rels",
    "xl/styles.xml",
}
WORKBOOK = "xl/workbook.xml"
# Parts of XLSB, ODS and unusual XLSX files. Excel can open them and save them as XLSX.
OTHER_SPREADSHEETS = re.compile(r"xl/|content\.xml$|workbook\.xml$")


class OpenpyxlFailed(Exception):
    """openpyxl rejects a file that passed the size checks. Another library may read it."""

    def __init__(self, package: bytes, cause: str) -> None:
        super().__init__(cause)
        self.package = package


def xlsx_rows(content: bytes) -> Iterator[Row]:
    """Yield the rows of the first visible sheet.

    Raises UserFileNotSpreadsheet, UserFileUnreadable, UserFileTooLarge, or OpenpyxlFailed
    with the checked and repacked file.
    """
    package = _repacked(content)
    try:
        # A warning could quote a cell, and would be logged.
        with warnings.catch_warnings(action="ignore"):
            yield from _rows(package)
    except Failure:
        raise
    except Exception as error:
        # openpyxl can raise nearly any exception for an unexpected file.
        raise OpenpyxlFailed(package.getvalue(), type(error).__name__) from None


def _rows(package: BytesIO) -> Iterator[Row]:
    book = openpyxl().load_workbook(package, read_only=True, data_only=True, keep_links=False)
    sheet = next(one for one in book.worksheets if one.sheet_state == "visible")
    # The dimensions in a file are often wrong, and rows outside them would be omitted.
    sheet.reset_dimensions()
    rows = sheet.iter_rows(max_col=MOST_COLUMNS)
    previous, cells = None, EMPTY_ROW
    for row in islice(rows, LAST_ROW):
        # For omitted rows, openpyxl returns the same object each time.
        if row is not previous:
            previous, cells = row, _cells(row)
        yield cells
    if next(rows, None) is not None:
        raise UserFileTooLarge("more rows than Excel has")


def _cells(row: Sequence["ReadOnlyCell | EmptyCell"]) -> Row:
    # A fast check, because a file can have half a million empty rows.
    empty = openpyxl().cell.read_only.EMPTY_CELL
    is_empty = all(map(is_, row, repeat(empty)))
    return EMPTY_ROW if is_empty else tuple(map(_cell, row))


def _cell(cell: "ReadOnlyCell | EmptyCell") -> Cell:
    if cell.value is None:
        return None
    if cell.data_type == "e":
        return UNREADABLE
    if isinstance(cell.value, str):
        # XLSX encodes control characters as in _x000D_.
        return value_cell(openpyxl().utils.escape.unescape(cell.value), None)
    # The number of a custom format has no meaning outside its file.
    number = cell.style_array.numFmtId
    return value_cell(cell.value, number if number < FIRST_CUSTOM_FORMAT else cell.number_format)


def _repacked(content: bytes) -> BytesIO:
    """Return a copy with each needed part once. Check sizes before and after unpacking."""
    package = BytesIO()
    try:
        with ZipFile(BytesIO(content)) as given, ZipFile(package, "w") as kept:
            for name, part in _parts(given).items():
                with given.open(part) as packed:
                    # `read()` without a size would unpack more than the declared size.
                    raw = packed.read(part.file_size + 1)
                _refuse_heavy(name, raw)
                kept.writestr(_plain(part.filename), raw)
    except Failure:
        raise
    except Exception as error:
        raise UserFileUnreadable(type(error).__name__) from None
    return package


def _parts(given: ZipFile) -> dict[str, ZipInfo]:
    """Return the needed parts by name. Of parts with the same name, the last counts, as in Excel.

    Checks the declared sizes. Compressions that Excel does not use are rejected, because they do
    not limit unpacking to the declared size.
    """
    if len(given.infolist()) > MOST_ENTRIES:
        raise UserFileTooLarge("too many parts")
    named = {_plain(one.filename).lower(): one for one in given.infolist()}
    parts = {name: one for name, one in named.items() if _is_read(name)}
    if WORKBOOK not in parts:
        is_other = any(map(OTHER_SPREADSHEETS.match, named))
        raise UserFileUnreadable("no workbook") if is_other else UserFileNotSpreadsheet
    if not DESCRIPTIONS - {"xl/styles.xml"} <= {*parts}:
        raise UserFileUnreadable("parts are missing")
    if sum(one.file_size for one in parts.values()) > LARGEST_UNPACKED:
        raise UserFileTooLarge("unpacks to too much")
    if any(one.compress_type not in (ZIP_STORED, ZIP_DEFLATED) for one in parts.values()):
        raise UserFileUnreadable("a compression that Excel does not use")
    return parts


def _plain(name: str) -> str:
    """Return the name of a part with backslashes, which some programs write, as slashes."""
    return name.replace("\\", "/")


def _is_read(name: str) -> bool:
    is_sheet = name.startswith(SHEETS) and name.endswith(".xml")
    return is_sheet or name == TEXTS or name in DESCRIPTIONS


def _refuse_heavy(name: str, raw: bytes) -> None:
    """Reject XML that takes long to read, and XML whose tags cannot be counted reliably."""
    declared = raw[:200].lower()
    if b"encoding" in declared and b"utf-8" not in declared:
        raise UserFileUnreadable("XML that is not in UTF-8")
    if b"<!DOCTYPE" in raw or b"\0" in raw:
        raise UserFileUnreadable("XML with a DOCTYPE, or not in UTF-8")
    if raw.count(b"<") > MOST_TAGS["texts" if name == TEXTS else "sheet"]:
        raise UserFileTooLarge("too many tags")
    if name.startswith(SHEETS):
        cell_tags = sum(1 for _ in CELL_TAG.finditer(raw))
        if raw.count(b"<") - cell_tags > MOST_OTHER_TAGS:
            raise UserFileTooLarge("too much beside the cells")
    if name in DESCRIPTIONS and len(raw) > LARGEST_DESCRIPTION:
        raise UserFileTooLarge("too many styles or names")

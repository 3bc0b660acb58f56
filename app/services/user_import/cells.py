"""Cells of imported spreadsheets: the entered text, or the damage that Excel did to it.

Damage codes are stable. rows.py has the message of each.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from math import isfinite
from typing import cast

from app.services.user_import.escapes import (
    ERROR_VALUE,
    EXPONENT_NOTATION,
    is_marked,
    unescaped,
)
from app.services.user_import.number_formats import displayed
from app.services.user_import.openpyxl_module import openpyxl
from app.text_cleaning import without_invisible

LONGEST_CELL = 256
# Excel keeps 15 digits of a number and replaces the rest by zeros.
FIRST_INEXACT = 10**15
# Built-in date formats of Chinese, Japanese and Korean systems. They have a number but no text.
EAST_ASIAN_DATES = {*range(27, 37), *range(50, 59)}
# A formula that keeps Excel from changing a text: ="001234".
TEXT_FORMULA = re.compile(r'="([^"]*)"')


@dataclass(frozen=True, slots=True)
class DamagedCell:
    """A cell that no longer contains the entered text."""

    code: str


Cell = str | DamagedCell | None
Row = Sequence[Cell]

UNREADABLE = DamagedCell("cell_unreadable")


class InExponentNotation(Exception):
    """The number is written like 1.38E+10, so its last digits may be lost."""


def value_cell(value: object, number_format: int | str | None) -> Cell:
    """Return the cell of an XLSX value. `number_format` is None if it is unknown."""
    if value is None:
        return None
    if isinstance(value, str):
        return value[: LONGEST_CELL + 1]
    if isinstance(value, bool):
        return DamagedCell("cell_boolean")
    if isinstance(value, int | float):
        return _number_cell(value, number_format)
    if isinstance(value, date | time | timedelta):
        return UNREADABLE
    return DamagedCell("cell_format_unknown")


def _number_cell(value: float, number_format: int | str | None) -> Cell:
    if not isfinite(value) or abs(value) >= FIRST_INEXACT:
        return DamagedCell("cell_digits_lost")
    if value != int(value):
        return DamagedCell("cell_fraction")
    code = _format_code(number_format)
    if code is not None and openpyxl().styles.numbers.is_date_format(code):
        return UNREADABLE
    shown = None if code is None else displayed(int(value), code)
    return DamagedCell("cell_format_unknown") if shown is None else shown[: LONGEST_CELL + 1]


def _format_code(number_format: int | str | None) -> str | None:
    """Return the text of a number format that is given as a text or a built-in number."""
    if not isinstance(number_format, int):
        return number_format
    if number_format in EAST_ASIAN_DATES:
        return "yyyy-mm-dd"
    return cast("str | None", openpyxl().styles.numbers.BUILTIN_FORMATS.get(number_format))


def csv_cell(text: str) -> Cell:
    """Return the cell of a CSV text. A number has the form that Excel displayed."""
    # Accounts are stored without invisible characters, so these must not hide the damage.
    visible = without_invisible(text[: LONGEST_CELL + 1])
    bare = unicodedata.normalize("NFKC", visible).strip()
    if EXPONENT_NOTATION.fullmatch(bare):
        return DamagedCell("cell_exponent")
    return UNREADABLE if ERROR_VALUE.fullmatch(bare) else text[: LONGEST_CELL + 1]


def entered_text(text: str) -> str:
    """Return a text without its spreadsheet escapes and surrounding spaces.

    The spaces of a text that our export has escaped are kept, because they are intended.
    """
    wrapped = TEXT_FORMULA.fullmatch(text.strip())
    if wrapped:
        return wrapped[1].strip()
    return unescaped(text) if is_marked(text) else unescaped(text).strip()


def phone_text(text: str) -> str:
    """Return a phone number without the artefacts of Excel and of copying.

    Raises InExponentNotation.
    """
    seen = "".join(char for char in unicodedata.normalize("NFKC", text) if not _is_unseen(char))
    plain = re.sub(r"\.0*$", "", seen.strip().removeprefix("'"))
    if EXPONENT_NOTATION.fullmatch(plain):
        raise InExponentNotation
    return plain


def _is_unseen(char: str) -> bool:
    """Return whether a character is a direction mark, which a copied contact may contain."""
    return unicodedata.category(char) == "Cf"

"""Cells of spreadsheets: what Excel makes of a text, and what it may not make of ours."""

import re
import unicodedata
from datetime import date, time, timedelta

LONGEST_CELL = 256
# Excel's errors, which it writes where a formula has no value.
ERRORS = {"#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NULL!", "#NUM!"}
# What makes a formula of a cell; the wide ones where the system is Chinese or Japanese.
FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
DEFUSED = re.compile(rf"'(?='*{FORMULA.pattern})")
# How people keep Excel from reading a number: ="13800138000".
TEXT_FORMULA = re.compile(r'="([^"]*)"')
SCIENTIFIC = re.compile(r"(?P<whole>\d)(?:\.(?P<digits>\d*))?E\+?(?P<exponent>\d{1,2})", re.I)


class CellUnreadable(Exception):
    """Excel has made something else of the text that somebody entered."""


class DigitsLost(Exception):
    """Excel wrote the number so short that its last digits are not there."""


def cell_text(value: object) -> str:
    """Read a cell as the text that somebody entered, cut where it is too long for anything.

    Raises CellUnreadable for dates and errors.
    """
    if value is None:
        return ""
    if isinstance(value, (date, time, timedelta)) or value in ERRORS:
        raise CellUnreadable
    if isinstance(value, float) and value.is_integer() and abs(value) < 10**15:
        value = int(value)
    return str(value)[: LONGEST_CELL + 1]


def unwrapped(text: str) -> str:
    """Take off what keeps spreadsheets from reading a text as something else, and blanks."""
    wrapped = TEXT_FORMULA.fullmatch(text.strip())
    return DEFUSED.sub("", wrapped[1] if wrapped else text, count=1).strip()


def digits_text(text: str) -> str:
    """Undo what Excel, and copying from elsewhere, does to a number; raise DigitsLost.

    1.38E+10 stands for many numbers; 1.3800138000E+10 for one.
    """
    seen = "".join(char for char in unicodedata.normalize("NFKC", text) if not _is_unseen(char))
    plain = re.sub(r"\.0*$", "", seen.strip().removeprefix("'"))
    scientific = SCIENTIFIC.fullmatch(plain)
    if scientific is None:
        return plain
    digits, exponent = scientific["digits"] or "", int(scientific["exponent"])
    if len(digits.rstrip("0")) > exponent or len(digits) < exponent:
        raise DigitsLost
    return (scientific["whole"] + digits)[: exponent + 1]


def _is_unseen(char: str) -> bool:
    """Tell the marks of direction that come along when a number is copied from a contact."""
    return unicodedata.category(char) == "Cf"


def defused(text: str) -> str:
    """Spell a text so that no spreadsheet takes it for a formula; `unwrapped` undoes it."""
    return f"'{text}" if FORMULA.match(text) or DEFUSED.match(text) else text

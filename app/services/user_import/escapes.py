"""Escape texts in exported cells, so that no spreadsheet executes, changes or splits them.

An apostrophe is added before the text, and inside it after each separator that a formula could
follow. `unescaped(escaped(text)) == text` holds for every text.
"""

import re

from app.text_cleaning import without_invisible

# Characters that begin a formula. On Chinese and Japanese systems also the full-width ones.
FORMULA = "=+\\-@＝＋－＠"
# Some programs split a cell at these, even inside quotation marks.
SEPARATORS = ";,\\t\\r\\n"
# Characters between the start of a cell and its formula that spreadsheets may remove: quotation
# marks, apostrophes (this escape among them), blanks, and marks that are not visible.
REMOVED = "(?:[\"' \v\f\x85\u00a0\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff])*"

STARTS_FORMULA = re.compile(f"{REMOVED}[{FORMULA}\\t\\r\\n]")
BEFORE_INNER_FORMULA = re.compile(f"(?<=[{SEPARATORS}])(?={REMOVED}[{FORMULA}])")
INNER_ESCAPE = re.compile(f"(?<=[{SEPARATORS}])'(?={REMOVED}[{FORMULA}])")

# A number that Excel or another program has shortened: 1.1E+17, 1.38e10, 1E-05, and 13.8E+9 in
# Excel's format ##0.0E+0. Not 3e12, which no program writes and which may be an account.
EXPONENT_NOTATION = re.compile(r"[+-]?(?:\d{1,3}[.,]\d+E[+-]?|\dE[+-])\d{1,3}", re.I | re.ASCII)
# Excel's error values, and its filler for a column that is too narrow.
ERROR_VALUE = re.compile(r"#(?:N/A|REF!|NAME\?|VALUE!|DIV/0!|NULL!|NUM!|SPILL!|CALC!|#{2,})")


def escaped(text: str) -> str:
    """Return the escaped text for a cell of an export."""
    inside = BEFORE_INNER_FORMULA.sub("'", text)
    return f"'{inside}" if _needs_mark(text) else inside


def unescaped(text: str) -> str:
    """Return the original text of an exported cell."""
    plain = INNER_ESCAPE.sub("", text)
    return plain[1:] if is_marked(plain) else plain


def is_marked(text: str) -> bool:
    """Return whether the text begins with the apostrophe of `escaped`."""
    return text.startswith("'") and _needs_mark(text[1:])


def _needs_mark(text: str) -> bool:
    """Return whether a spreadsheet or our import would misread the unescaped text."""
    bare = text.lstrip("'")
    visible = without_invisible(bare).strip()
    is_changed = EXPONENT_NOTATION.fullmatch(visible) or ERROR_VALUE.fullmatch(visible)
    return bool(STARTS_FORMULA.match(text) or is_changed or bare != bare.strip())

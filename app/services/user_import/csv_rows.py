"""Rows of CSV files from Excel, WPS and other programs."""

import csv
import re
from collections.abc import Iterator, Sequence
from io import StringIO

from app.errors import UserFileUnreadable
from app.services.user_import.encodings import decoded

DELIMITERS = ",;\t"
# A first line that declares the delimiter to Excel. Excel does not count it as a row.
DELIMITER_LINE = re.compile(r'"?sep=([^\w"\r\n])"?[,;\t]*(?:\r\n|\r|\n|$)', re.IGNORECASE)
# Web pages and XML that Excel opens as tables.
MARKUP = re.compile(r"\s*<[?!\w]")


def csv_rows(content: bytes) -> Iterator[Sequence[str]]:
    """Yield the rows, including the header. A blank line is a row without cells.

    Raises UserFileNotSpreadsheet, UserFileBig5 or UserFileUnreadable. An unclosed quotation mark
    also raises UserFileUnreadable, because the rows after it would become part of one cell.
    """
    text = decoded(content)
    if MARKUP.match(text):
        raise UserFileUnreadable("HTML or XML")
    named = DELIMITER_LINE.match(text)
    text = text[named.end() :] if named else text
    first = text.lstrip("\r\n").partition("\n")[0]
    delimiter = named[1] if named else max(DELIMITERS, key=first.count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        yield from reader
    except csv.Error as error:
        line = reader.line_num + (1 if named else 0)
        raise UserFileUnreadable(str(error), about=f"line {line}") from None

"""CSV, as Excel in China and everybody else writes it."""

import csv
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator, Sequence
from io import StringIO

from app.errors import PeopleFileUnreadable

# Excel's "Unicode text" is UTF-16 with tabs.
OF_MARK = {BOM_UTF8: "utf-8-sig", BOM_UTF16_LE: "utf-16", BOM_UTF16_BE: "utf-16"}
# Chinese Excel's "CSV" is GB18030; hardly any UTF-8 passes for it, but every ASCII text for UTF-8.
UNMARKED = ("utf-8", "gb18030")
DELIMITERS = ",;\t"


def csv_rows(content: bytes) -> Iterator[Sequence[str]]:
    """Read the rows, the header first; blank lines are rows without cells.

    Raises PeopleFileUnreadable, at an unclosed quotation mark among other things, which would
    swallow the rows behind it.
    """
    text = _decoded(content)
    first = text.lstrip("\r\n").partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        yield from reader
    except csv.Error as error:
        raise PeopleFileUnreadable(str(error), about=f"line {reader.line_num}") from None


def _decoded(content: bytes) -> str:
    marked = (name for mark, name in OF_MARK.items() if content.startswith(mark))
    for encoding in [*marked] or UNMARKED:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise PeopleFileUnreadable("neither UTF-8 nor GB18030")

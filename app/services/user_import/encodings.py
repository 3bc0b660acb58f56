"""Decode CSV files: by their byte order mark, or else as UTF-8, or else as GB18030.

Nearly any bytes are valid GB18030, so Big5 is detected first and refused.
"""

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from unicodedata import category

from app.errors import UserFileBig5, UserFileNotSpreadsheet, UserFileUnreadable
from app.services.user_import.columns import find_column

# Excel's "Unicode text" is UTF-16 with tabs.
OF_MARK = {BOM_UTF8: "utf-8", BOM_UTF16_LE: "utf-16-le", BOM_UTF16_BE: "utf-16-be"}
MARK = "\ufeff"
# Signatures of pictures, documents and archives, which may have the name of a spreadsheet.
OTHER_FILES = (
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"RIFF",
    b"%PDF",
    b"{\\rtf",
    b"Rar!",
    b"7z\xbc\xaf",
    b"\x1f\x8b",
)

HEADER_BREAKS = re.compile(r"[,;\t]")
LOOKED_AT = 256 * 1024
PAIR = re.compile(rb"[\x81-\xfe][\x40-\xfe]")
# A Chinese character in UTF-8. A text of these with only a few other bytes is damaged UTF-8.
UTF8_CHAR = re.compile(rb"[\xe3-\xe9][\x80-\xbf]{2}")
NOT_ASCII = re.compile(rb"[\x80-\xff]")


def decoded(content: bytes) -> str:
    """Return the text without byte order marks.

    Raises UserFileNotSpreadsheet, UserFileBig5 or UserFileUnreadable.
    """
    marked = next((name for mark, name in OF_MARK.items() if content.startswith(mark)), None)
    if marked is None:
        _refuse_binary(content)
    try:
        # A file may have two marks, if a program added its own to an existing one.
        return content.decode(marked or "utf-8").lstrip(MARK)
    except UnicodeDecodeError:
        pass
    if marked or _is_damaged_utf8(content):
        raise UserFileUnreadable("damaged Unicode")
    if _has_big5_header(content) or _is_big5(content):
        raise UserFileBig5
    try:
        return content.decode("gb18030").lstrip(MARK)
    except UnicodeDecodeError:
        raise UserFileUnreadable("neither UTF-8 nor GB18030") from None


def _refuse_binary(content: bytes) -> None:
    if content.startswith(OTHER_FILES):
        raise UserFileNotSpreadsheet
    if b"\0" not in content:
        return
    # In UTF-16, the zero bytes of ASCII characters are either all first or all second bytes.
    if (0 in content[:1024:2]) != (0 in content[1:1024:2]):
        raise UserFileUnreadable("UTF-16 without a mark")
    raise UserFileNotSpreadsheet


def _is_damaged_utf8(content: bytes) -> bool:
    looked_at = content[:LOOKED_AT]
    chars = sum(1 for _ in UTF8_CHAR.finditer(looked_at))
    return chars > 1 and chars * 3 >= 0.9 * sum(1 for _ in NOT_ASCII.finditer(looked_at))


def _has_big5_header(content: bytes) -> bool:
    """Return whether the first line has a Chinese header in Big5, and none in GB18030.

    The header may be the only Chinese text of a file, which is too short for `_is_big5`.
    """
    line = content.lstrip(b"\r\n").partition(b"\n")[0]
    return _has_chinese_header(line, "cp950") and not _has_chinese_header(line, "gb18030")


def _has_chinese_header(line: bytes, encoding: str) -> bool:
    try:
        headers = HEADER_BREAKS.split(line.decode(encoding))
    except UnicodeDecodeError:
        return False
    return any(find_column(header) for header in headers if not header.isascii())


def _is_big5(content: bytes) -> bool:
    """Return whether a text is more likely Big5 than GB18030.

    The common characters of Big5 begin with A4 to C6. Read as GB18030, a third of these are
    undefined, kana or other symbols, and another third are rare. The common characters of GB18030
    begin with B0 to D7. Read as Big5, half of those are rare or undefined. Each distinct character
    counts once, so a rare one that names share does not decide.
    """
    pairs = {pair[0] for pair in PAIR.finditer(content[:LOOKED_AT])}
    return sum(_likelihood_of_big5(pair) for pair in pairs) >= 4


def _likelihood_of_big5(pair: bytes) -> float:
    """Return the weight of one character, determined from lists of names in both encodings."""
    lead, trail = pair
    if lead in (0xA1, 0xA2, 0xA3):
        return 0  # punctuation in both
    if not _can_decode(pair, "cp950"):
        return -6
    if lead > 0xC6:
        return -3  # rare in Big5
    if not _can_decode(pair, "gb18030") or category(pair.decode("gb18030")) == "Co":
        return 6
    if lead >= 0xB0:
        return -0.3 if trail >= 0xA1 else 3  # common or rare in GB18030
    return 3 if lead >= 0xAA else 2  # rare, or a symbol


def _can_decode(pair: bytes, encoding: str) -> bool:
    try:
        pair.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True

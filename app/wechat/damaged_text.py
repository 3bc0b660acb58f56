"""Decoding of JSON and XML from WeChat that contains illegal characters.

WeChat truncates long texts at a byte, in the middle of a UTF-8 character, and passes on control
characters that people typed. Before parsing, each illegal byte sequence is replaced by MARK. In
XML, illegal control characters are replaced too. In JSON, control characters are kept. After
parsing, a text field drops marks and control characters. A token field rejects both. A phone number
field drops control characters and rejects marks.
"""

import re

MARK = "\ufffd"
# C0 without tab and line ends, and the noncharacters: illegal in JSON strings and XML 1.0.
ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
DAMAGE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffd-\uffff]")
BYTE_ORDER_MARK = "\ufeff"
AROUND_JSON = MARK + "\ufffe\uffff" + "".join(map(chr, range(0x20)))


def marked_text(content: bytes) -> str:
    """Decode UTF-8 with a MARK in place of each byte sequence or character that is illegal.

    A byte order mark is removed, and so are marks before and after the text.
    """
    text = content.decode("utf-8", "replace").removeprefix(BYTE_ORDER_MARK)
    return ILLEGAL.sub(MARK, text).strip(MARK)


def json_text(content: bytes) -> str:
    """Decode JSON with a MARK in place of each byte sequence that is not UTF-8.

    Control characters are kept, so that a field can be checked for marks alone. A byte order mark
    is removed, and so are marks and control characters before and after the text.
    """
    text = content.decode("utf-8", "replace").removeprefix(BYTE_ORDER_MARK)
    return text.strip(AROUND_JSON)


def undamaged(text: str) -> str:
    """Return the text without marks, control characters and halves of surrogate pairs."""
    return DAMAGE.sub("", text)


def without_controls(text: str) -> str:
    """Return the text without control characters. Marks are kept."""
    return CONTROLS.sub("", text)

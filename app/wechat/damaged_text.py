"""Text in which WeChat left characters that no parser accepts.

WeChat cuts long texts at a byte, in the middle of a UTF-8 character, and passes on control
characters that people typed. Each cut character is marked before the text is parsed; control
characters are marked in XML and stay in JSON. The reader of a field then drops marks and control
characters, refuses both in an id, and refuses marks only in a phone number.
"""

import re

MARK = "\ufffd"
# C0 without tab and line ends, and the noncharacters: JSON and XML 1.0 allow none of them.
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

    Control characters stay, so that a reader can tell them from bytes that are not UTF-8. A byte
    order mark is removed, and so are marks and control characters before and after the text.
    """
    text = content.decode("utf-8", "replace").removeprefix(BYTE_ORDER_MARK)
    return text.strip(AROUND_JSON)


def undamaged(text: str) -> str:
    """Return the text without marks, control characters and halves of surrogate pairs."""
    return DAMAGE.sub("", text)


def without_controls(text: str) -> str:
    """Return the text without control characters; marks stay."""
    return CONTROLS.sub("", text)

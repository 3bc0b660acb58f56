"""Text in which WeChat left characters that no parser accepts.

WeChat cuts long texts at a byte, in the middle of a UTF-8 character, and passes on control
characters that people typed. Each such place is marked before the text is parsed. The reader of a
field then drops the mark, or refuses the value if it is an id.
"""

import re

MARK = "\ufffd"
# C0 without tab and line ends, and the noncharacters: JSON and XML 1.0 allow none of them.
ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
DAMAGE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffd-\uffff]")
BYTE_ORDER_MARK = "\ufeff"


def marked_text(content: bytes) -> str:
    """Decode UTF-8 with a MARK in place of each byte sequence or character that is illegal.

    A byte order mark is removed, and so are marks before and after the text.
    """
    text = content.decode("utf-8", "replace").removeprefix(BYTE_ORDER_MARK)
    return ILLEGAL.sub(MARK, text).strip(MARK)


def undamaged(text: str) -> str:
    """Return the text without marks, control characters and halves of surrogate pairs."""
    return DAMAGE.sub("", text)

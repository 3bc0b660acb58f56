"""Messages, and the removal of characters that receivers would interpret."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

# C0 except line feed, DEL, C1, line and paragraph separator, and the characters that change the
# direction of the text or are invisible.
_UNFIT = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ud800-\udfff]"
)
_SHORTENED = " …"
MOST_SUBJECT = 200


def _new_id() -> str:
    return f"msg_{uuid4().hex}"


@dataclass(frozen=True, slots=True)
class Message:
    """A message. `text` has several lines. Webhooks also receive `data`.

    Each attempt to deliver a message has the same `id`, by which a receiver finds repetitions.
    """

    subject: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=_new_id)


def one_line(text: str) -> str:
    """Return the text as one line of at most `MOST_SUBJECT` characters, without controls."""
    return _UNFIT.sub("", " ".join(text.splitlines())).strip()[:MOST_SUBJECT]


def plain_text(text: str) -> str:
    """Return the text without control and invisible characters. Line feeds are kept."""
    return _UNFIT.sub("", text.replace("\r\n", "\n"))


def without_mentions(text: str) -> str:
    """Return the text with a full-width @, so that a name in it notifies no member of a group."""
    return plain_text(text).replace("@", "＠")


def shortened(text: str, most_bytes: int) -> str:
    """Return the text, or as much of its beginning as fits in `most_bytes` of UTF-8."""
    encoded = text.encode()
    if len(encoded) <= most_bytes:
        return text
    room = most_bytes - len(_SHORTENED.encode())
    return encoded[:room].decode(errors="ignore") + _SHORTENED

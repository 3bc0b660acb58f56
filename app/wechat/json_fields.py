"""Parsing and validation of JSON from WeChat."""

import json
from base64 import b64decode
from contextlib import suppress
from typing import Any, cast

from app.wechat.damaged_text import json_text, undamaged, without_controls

JsonObject = dict[str, object]


class WrongShape(ValueError):
    """A value is missing or has the wrong type. The message names the field, never the value."""


def parse_object(content: bytes) -> JsonObject:
    """Parse bytes as one JSON object. Raise WrongShape for any other content.

    Control characters in strings and invalid UTF-8 are tolerated here. `text_field` drops both,
    `token_field` rejects both, and `number_field` drops control characters and rejects invalid
    UTF-8.
    """
    parsed = _parse(content)
    if not isinstance(parsed, dict):
        raise WrongShape("not a JSON object")
    return cast(JsonObject, parsed)


def _parse(content: bytes) -> Any:
    with suppress(ValueError, RecursionError):
        return json.loads(content.decode("utf-8"))
    try:
        return json.loads(json_text(content), strict=False)
    except (ValueError, RecursionError):
        raise WrongShape("not JSON") from None


def object_field(data: JsonObject, name: str) -> JsonObject:
    """Return the JSON object in a field. Raise WrongShape if it is missing or not an object."""
    value = data.get(name)
    if not isinstance(value, dict):
        raise WrongShape(name)
    return cast(JsonObject, value)


def token_field(data: JsonObject, name: str) -> str:
    """Return an id, key or token. Raise WrongShape unless it is non-empty printable ASCII.

    The length is not checked: WeChat publishes no lengths and has changed them before.
    """
    value = data.get(name)
    if not (isinstance(value, str) and value and value.isascii() and value.isprintable()):
        raise WrongShape(name)
    return value


def number_field(data: JsonObject, name: str) -> str:
    """Return a phone number without control characters. Raise WrongShape as `token_field` does.

    Invalid UTF-8 is rejected, because it shows that the ciphertext was changed.
    """
    value = data.get(name)
    return token_field({name: without_controls(value) if isinstance(value, str) else value}, name)


def optional_token_field(data: JsonObject, name: str) -> str | None:
    """Return a token, or None if it is missing, null or empty.

    Raises WrongShape for a value that `token_field` rejects.
    """
    return None if data.get(name) in (None, "") else token_field(data, name)


def integer_field(data: JsonObject, name: str) -> int:
    """Return an integer. Raise WrongShape for other values, including true and false."""
    value = data.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise WrongShape(name)
    return value


def text_field(data: JsonObject, name: str, default: str | None = None) -> str:
    """Return human-written text without control characters and marks.

    Raises WrongShape if the value is not a string, or is missing and there is no default.
    """
    value = data.get(name, default)
    if not isinstance(value, str):
        raise WrongShape(name)
    return undamaged(value)


def base64_of(text: str, size: int | None = None) -> bytes:
    """Decode strict Base64. Raise WrongShape if it is invalid or not `size` bytes long."""
    try:
        content = b64decode(text, validate=True)
    except ValueError:
        raise WrongShape("not Base64") from None
    if size is not None and len(content) != size:
        raise WrongShape("wrong length")
    return content

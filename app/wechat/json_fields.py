"""Reads the JSON that WeChat writes, believing nothing about its shape."""

import json
from base64 import b64decode
from contextlib import suppress
from typing import Any, cast

from app.wechat.damaged_text import json_text, undamaged, without_controls

JsonObject = dict[str, object]


class WrongShape(ValueError):
    """Something is missing or wrongly typed; names the place, never the value."""


def parse_object(content: bytes) -> JsonObject:
    """Parse bytes as one JSON object; raises WrongShape for anything else.

    Raw control characters in strings and damaged UTF-8 are tolerated. `text_field` drops them,
    `token_field` refuses a value that holds any, and `number_field` drops control characters only.
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
    """Return an object inside the object; raises WrongShape."""
    value = data.get(name)
    if not isinstance(value, dict):
        raise WrongShape(name)
    return cast(JsonObject, value)


def token_field(data: JsonObject, name: str) -> str:
    """Return an id, key, token or number: printable ASCII, not empty; raises WrongShape.

    Lengths are left alone: WeChat publishes none and has changed them before.
    """
    value = data.get(name)
    if not (isinstance(value, str) and value and value.isascii() and value.isprintable()):
        raise WrongShape(name)
    return value


def number_field(data: JsonObject, name: str) -> str:
    """Return a phone number, without control characters; raises WrongShape as `token_field` does.

    Bytes that are not UTF-8 are refused: a changed ciphertext leaves them.
    """
    value = data.get(name)
    return token_field({name: without_controls(value) if isinstance(value, str) else value}, name)


def optional_token_field(data: JsonObject, name: str) -> str | None:
    """Return a token, or None when it is missing, null or empty; raises WrongShape."""
    return None if data.get(name) in (None, "") else token_field(data, name)


def integer_field(data: JsonObject, name: str) -> int:
    """Return a whole number; raises WrongShape, for true and false as well."""
    value = data.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise WrongShape(name)
    return value


def text_field(data: JsonObject, name: str, default: str | None = None) -> str:
    """Return text written by people, without control characters and damage; raises WrongShape."""
    value = data.get(name, default)
    if not isinstance(value, str):
        raise WrongShape(name)
    return undamaged(value)


def base64_of(text: str, size: int | None = None) -> bytes:
    """Decode strict Base64, of exactly `size` bytes if given; raises WrongShape."""
    try:
        content = b64decode(text, validate=True)
    except ValueError:
        raise WrongShape("not Base64") from None
    if size is not None and len(content) != size:
        raise WrongShape("wrong length")
    return content

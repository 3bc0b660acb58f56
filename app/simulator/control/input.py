"""Input of the control API, and its errors."""

import math
from collections.abc import Mapping
from typing import Any

from flask import request


class ControlRefusal(Exception):
    """The control API rejects a request. The text says what to do, in English and Chinese."""

    def __init__(self, status: int, english: str, chinese: str) -> None:
        self.status = status
        super().__init__(f"{english} / {chinese}")


class Fields:
    """The fields of a control call. Each method returns one field, or raises ControlRefusal."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    def __contains__(self, name: str) -> bool:
        return name in self._given

    def is_text(self, name: str) -> bool:
        """Return whether the field is a string."""
        return isinstance(self._given.get(name), str)

    def text(self, name: str) -> str:
        """Return a required, non-empty string."""
        value = self.text_or_none(name)
        if not value:
            raise _bad(name, "a non-empty string", "非空字符串")
        return value

    def text_or_none(self, name: str) -> str | None:
        """Return a string, or None if it is absent."""
        value = self._given.get(name)
        if value is not None and not isinstance(value, str):
            raise _bad(name, "a string", "字符串")
        return value

    def digits_or_none(self, name: str) -> str | None:
        """Return a string of digits, or None if it is absent."""
        value = self.text_or_none(name)
        if value is not None and not (value.isascii() and value.isdigit()):
            raise _bad(name, "a string of digits", "数字字符串")
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean, false if it is absent."""
        value = self._given.get(name, False)
        if not isinstance(value, bool):
            raise _bad(name, "true or false", "true 或 false")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """Return a number of at least zero. It is required if there is no default."""
        value = self._given.get(name, default)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf:
            return value
        raise _bad(name, "a number not below zero", "不小于零的数")

    def integer_or_none(self, name: str) -> int | None:
        """Return an integer, or None if it is absent."""
        value = self._given.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise _bad(name, "an integer", "整数")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of strings, empty if it is absent."""
        value = self._given.get(name, [])
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise _bad(name, "a list of strings", "字符串数组")
        return tuple(value)

    def values(self, name: str) -> dict[str, str | int]:
        """Return an object of strings and integers, empty if it is absent."""
        given = self._given.get(name, {})
        if not isinstance(given, dict) or not all(_is_value(one) for one in given.values()):
            raise _bad(name, "an object of strings and integers", "由字符串和整数组成的对象")
        return given

    def choice(self, name: str, choices: frozenset[str]) -> str:
        """Return a string that is one of the choices."""
        value = self.text(name)
        if value not in choices:
            known = ", ".join(sorted(choices))
            raise _bad(name, f"one of {known}", f"以下之一：{known}")
        return value


def read_body(*known: str) -> Fields:
    """Return the fields of the JSON body. Reject unknown ones, which may be misspelt options."""
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise ControlRefusal(400, "Send a JSON object as the body.", "请以 JSON 对象作为请求体。")
    if unknown := sorted(set(body) - set(known)):
        names, allowed = ", ".join(unknown), ", ".join(known)
        raise ControlRefusal(
            400,
            f"Unknown field: {names}. Known here: {allowed}.",
            f"未知字段：{names}。此处可用：{allowed}。",
        )
    return Fields(body)


def read_query() -> Fields:
    """Return the fields of the query string."""
    return Fields(request.args.to_dict())


def _is_value(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _bad(name: str, english: str, chinese: str) -> ControlRefusal:
    return ControlRefusal(400, f"Give {name} as {english}.", f"请将 {name} 设为{chinese}。")

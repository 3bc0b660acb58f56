"""Translation of validation messages of single fields."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask_babel import force_locale
from marshmallow import Schema, fields

import app.schemas
from app.languages import FIELD_MESSAGES, field_messages
from tests.fixtures.personas import Client

# Message fragments, and messages of marshmallow that no request field uses.
NOT_SHOWN = {
    *("greater than", "greater than or equal to", "less than", "less than or equal to"),
    '"{input}" cannot be formatted as a {obj_type}.',
    *("Not a valid {awareness} {obj_type}.", "Not a valid {obj_type}."),
}
VALUES = {"min": 1, "max": 9, "equal": 5, "choices": "a, b", "input": "x"}


def request_schemas() -> Iterator[Schema]:
    """Yield an instance of every request schema."""
    for module in pkgutil.walk_packages(app.schemas.__path__, "app.schemas."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and issubclass(value, Schema) and hasattr(value, "record"):
                yield value()


def messages_of(schema: Schema) -> set[str]:
    """Return the messages of a schema, its fields and their validators."""
    found, waiting = set(schema.error_messages.values()), list(schema.fields.values())
    while waiting:
        field: Any = waiting.pop()
        found |= set(field.error_messages.values())
        waiting += [field.inner] if isinstance(field, fields.List) else []
        for validator in field.validators:
            texts = (getattr(validator, name) for name in dir(validator) if "message" in name)
            found |= {text for text in texts if isinstance(text, str)}
    return found - NOT_SHOWN


def test_every_validation_message_of_request_schemas_has_a_chinese_translation(app: Flask) -> None:
    found = set().union(*(messages_of(schema) for schema in request_schemas()))
    assert len(found) > 15
    with app.test_request_context(), force_locale("zh"):
        english = [
            text
            for text in found
            if not re.search(r"[\u4e00-\u9fff]", field_messages(text.format(**VALUES)))
        ]
    assert english == []


@pytest.mark.parametrize(
    ("language", "missing", "unknown", "long"),
    [
        ("en", "Missing data for required field.", "Unknown field.", "between 1 and 128."),
        ("zh-CN", "缺少必填字段。", "未知字段。", "长度须在 1 到 128 之间。"),
    ],
)
def test_field_errors_are_in_the_language_of_accept_language(
    client: Client, language: str, missing: str, unknown: str, long: str
) -> None:
    body = {"account": "a", "surprise": 1}
    headers = {"Accept-Language": language}
    path = "/v1/apps/wxaaaa000000000001/password-login"
    answer = client.send("POST", path, json=body, headers=headers).json
    assert answer["errors"] == {"password": [missing], "surprise": [unknown]}
    body = {"account": "a", "password": "x" * 200}
    answer = client.send("POST", path, json=body, headers=headers).json
    assert answer["errors"]["password"][0].endswith(long)


def test_a_field_name_with_braces_is_returned_unformatted_in_errors(client: Client) -> None:
    """Clients choose field names, so a name may look like a template."""
    path = "/v1/apps/wxaaaa000000000001/password-login"
    body = {"account": "a", "password": "b", "{0.__class__}": 1, "{max}": 2}
    answer = client.send("POST", path, json=body, headers={"Accept-Language": "zh"}).json
    assert answer["errors"] == {"{0.__class__}": ["未知字段。"], "{max}": ["未知字段。"]}


def test_field_messages_contains_no_duplicates() -> None:
    assert len(set(FIELD_MESSAGES)) == len(FIELD_MESSAGES)

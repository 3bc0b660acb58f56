"""Request data is passed to services as frozen dataclasses and named arguments."""

import ast
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

import marshmallow
from flask import Flask

from app.schemas.loading import RequestSchema

APP = Path(__file__).parents[2] / "app"
VIEWS = sorted(
    path for folder in ("api", "dialects", "admin") for path in (APP / folder).rglob("*.py")
)
SERVICES = sorted((APP / "services").rglob("*.py"))
# `**` parameters that services may have: details of an audit event, arguments of a wrapped
# function, the identity of the row that a ciphertext belongs to, and values that a bulk insert
# repeats, and values for the placeholders of a text.
OPEN_PARAMETERS = {"details", "kwargs", "row", "same", "values"}


def spread_calls(source: str) -> Iterator[str]:
    """Yield the names of the services that are called with a `**` argument."""
    tree = ast.parse(source)
    services = {
        (name.asname or name.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("app.services")
        for name in node.names
    }
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        called = ast.unparse(call.func)
        if called.partition(".")[0] in services and any(
            keyword.arg is None for keyword in call.keywords
        ):
            yield called


def schemas_of(kind: type[RequestSchema[Any]]) -> Iterator[type[RequestSchema[Any]]]:
    """Yield all subclasses of a schema that name a dataclass in `record`."""
    for schema in kind.__subclasses__():
        if hasattr(schema, "record"):
            yield schema
        yield from schemas_of(schema)


def test_views_pass_no_double_star_arguments_to_services() -> None:
    """mypy cannot check the argument names in `**body`."""
    for path in VIEWS:
        assert list(spread_calls(path.read_text())) == [], path


def test_the_check_finds_double_star_arguments_in_calls_of_modules_and_functions() -> None:
    source = """
from app.services.login import login
from app.services.users.users import change_user as change
login.log_in(app, **body)
change(tenant_id, **body)
other(**body)
"""
    assert list(spread_calls(source)) == ["login.log_in", "change"]


def test_services_have_no_double_star_parameters_except_the_allowed_ones() -> None:
    for path in SERVICES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.args.kwarg is not None:
                assert node.args.kwarg.arg in OPEN_PARAMETERS, f"{path}: {node.name}"


def test_every_request_schema_has_a_frozen_dataclass_with_the_same_fields(app: Flask) -> None:
    """An optional field has a default. The fixture `app` imports every schema."""
    schemas = set(schemas_of(RequestSchema))
    assert len(schemas) > 30
    for schema in schemas:
        record = schema.record
        assert is_dataclass(record), schema
        assert record.__dataclass_params__.frozen, schema
        declared: dict[str, marshmallow.fields.Field[Any]] = schema._declared_fields
        assert set(declared) == {field.name for field in fields(record)}, schema
        for field in fields(record):
            is_set = declared[field.name].required or (
                declared[field.name].load_default is not marshmallow.missing
            )
            assert is_set or field.default is not MISSING, (schema, field.name)

"""Whole examples of request and response bodies, composed of the examples of their fields."""

from collections.abc import Iterable
from typing import Any

from marshmallow import Schema

from app.schemas.descriptions.about import COMPOSED
from app.schemas.loading import RequestSchema

Schemas = dict[str, Any]


def whole_example(
    schema: dict[str, Any],
    schemas: Schemas,
    classes: dict[str, type[Schema]],
    given: Any = COMPOSED,
) -> dict[str, Any]:
    """Return `example` or `examples` of a body with a schema.

    A request schema with variants has an example for each, and one with `example_fields` only
    those. `schemas` are the components. `given` are the values of an operation, see `composed`.
    """
    example = composed(schema, schemas, given)
    found = classes.get(schema.get("$ref", "").rpartition("/")[2])
    if not (found and issubclass(found, RequestSchema)):
        return {"example": example}
    if not found.variants:
        return {"example": _only(found.example_fields or example, example)}
    return {
        "examples": {
            name: {"summary": variant.summary, "value": _only(variant.fields, example)}
            for name, variant in found.variants.items()
        }
    }


def _only(fields: Iterable[str], example: dict[str, Any]) -> dict[str, Any]:
    return {name: example[name] for name in fields}


def composed(schema: dict[str, Any], schemas: Schemas, given: Any = COMPOSED) -> Any:
    """Return an example of a JSON schema. Raise LookupError if a field has none.

    `given` are the values of an operation: an object names the fields that differ, a list has an
    object for each item, and any other value replaces the example. Raise LookupError if it names an
    unknown field.
    """
    if "example" in schema:
        return schema["example"] if given is COMPOSED else given
    if "$ref" in schema:
        return composed(schemas[schema["$ref"].rpartition("/")[2]], schemas, given)
    for kind in ("allOf", "anyOf"):
        if kind in schema:
            return composed(schema[kind][0], schemas, given)
    if given is None:
        return None
    if schema.get("type") == "array":
        items = [COMPOSED] if given is COMPOSED else given
        return [composed(schema["items"], schemas, one) for one in items]
    if schema.get("type") == "object":
        return _composed_object(schema.get("properties", {}), schemas, given)
    raise LookupError(f"no example: {schema}")


def _composed_object(fields: dict[str, Any], schemas: Schemas, given: Any) -> dict[str, Any]:
    differences = {} if given is COMPOSED else given
    if unknown := differences.keys() - fields.keys():
        raise LookupError(f"no field of the schema: {unknown}")
    return {
        name: composed(field, schemas, differences.get(name, COMPOSED))
        for name, field in fields.items()
    }

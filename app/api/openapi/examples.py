"""Whole examples of request and response bodies, composed of the examples of their fields."""

from typing import Any

from marshmallow import Schema

from app.schemas.loading import RequestSchema

Schemas = dict[str, Any]


def whole_example(
    schema: dict[str, Any], schemas: Schemas, classes: dict[str, type[Schema]]
) -> dict[str, Any]:
    """Return `example` or `examples` of a body with a schema.

    A request schema with variants has an example for each. `schemas` are the components.
    """
    example = composed(schema, schemas)
    found = classes.get(schema.get("$ref", "").rpartition("/")[2])
    variants = found.variants if found and issubclass(found, RequestSchema) else {}
    if not variants:
        return {"example": example}
    return {
        "examples": {
            name: {
                "summary": variant.summary,
                "value": {one: example[one] for one in variant.fields},
            }
            for name, variant in variants.items()
        }
    }


def composed(schema: dict[str, Any], schemas: Schemas) -> Any:
    """Return an example of a JSON schema. Raise LookupError if a field has none."""
    if "example" in schema:
        return schema["example"]
    if "$ref" in schema:
        return composed(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    for kind in ("allOf", "anyOf"):
        if kind in schema:
            return composed(schema[kind][0], schemas)
    if schema.get("type") == "array":
        return [composed(schema["items"], schemas)]
    if schema.get("type") == "object":
        fields = schema.get("properties", {})
        return {name: composed(field, schemas) for name, field in fields.items()}
    raise LookupError(f"no example: {schema}")

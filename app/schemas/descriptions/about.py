"""Metadata of fields, and texts of schemas, for the OpenAPI document."""

from typing import Any

from marshmallow import Schema

# Stands for an example that is missing, because None is an example.
COMPOSED = object()


def about(description: str, example: Any = COMPOSED) -> dict[str, Any]:
    """Return the `metadata` of a field: what it means, and a realistic value.

    The example of a field with a nested schema is composed of the examples of its fields.
    """
    return {"description": description} | ({} if example is COMPOSED else {"example": example})


def summary_of(schema: type[Schema]) -> str:
    """Return the first paragraph of the docstring of a schema, which OpenAPI shows."""
    return " ".join((schema.__doc__ or "").strip().split("\n\n")[0].split())


def example_of(schema: type[Schema]) -> dict[str, Any]:
    """Return an example object of a schema whose fields all have examples."""
    fields = schema().fields.values()
    return {str(one.data_key or one.name): one.metadata["example"] for one in fields}

"""Examples in the OpenAPI document: complete, valid, and without real secrets."""

import json
import re
from typing import Any

import jsonschema_rs
import pytest
from flask import Flask

from tests.fixtures.openapi.reading import (
    JSON,
    as_json_schema,
    bodies,
    examples_of,
    fields,
    operations,
    parameters,
    request_schemas,
)

Json = dict[str, Any]


def validator(document: Json, schema: Json) -> Any:
    """Return a validator of values for a schema of the document."""
    whole = {**as_json_schema(schema), "components": as_json_schema(document["components"])}
    return jsonschema_rs.Draft7Validator(whole, validate_formats=True)


def test_every_field_has_an_example(document: Json) -> None:
    missing = [
        name for name, field in fields(document) if "example" not in field and not has_fields(field)
    ]
    assert missing == []


def test_only_path_parameters_have_examples(document: Json) -> None:
    """Swagger UI sends the examples of parameters. A cursor or a filter would return no rows."""
    for name, one in parameters(document):
        assert ("example" in one) == (one["in"] == "path") == one.get("required", False), name
        assert "example" not in one["schema"], name


def has_fields(field: Json) -> bool:
    """Return whether a field is an object, or a list of objects, with a schema of its own."""
    one = field.get("items", field)
    return any("$ref" in part for part in (one, *one.get("allOf", ()), *one.get("anyOf", ())))


def test_every_example_of_a_field_is_valid(document: Json) -> None:
    for name, field in fields(document):
        if "example" in field:
            assert validator(document, field).is_valid(field["example"]), name
    for name, one in parameters(document):
        if "example" in one:
            assert validator(document, one["schema"]).is_valid(one["example"]), name


def test_every_json_body_has_an_example_that_matches_its_schema(document: Json) -> None:
    number = 0
    for operation in operations(document):
        for name, body in bodies(operation):
            content = body.get("content", {}).get(JSON)
            if content is not None:
                assert examples_of(content), operation.name
                for example in examples_of(content):
                    validator(document, content["schema"]).validate(example)
                    number += 1
            assert name != "request" or body["content"], operation.name
    assert number > 60


def test_response_examples_contain_every_field(document: Json) -> None:
    for operation in operations(document):
        for name, body in bodies(operation):
            content = body.get("content", {}).get(JSON)
            if content and name != "request" and "$ref" in content["schema"]:
                schema = document["components"]["schemas"][content["schema"]["$ref"].split("/")[-1]]
                assert set(content["example"]) == set(schema["properties"])


def test_every_request_example_loads_with_the_schema_of_its_view(
    app: Flask, document: Json
) -> None:
    schemas = request_schemas(app, "json")
    described = {one.name: one.described for one in operations(document)}
    assert set(schemas) == {
        name
        for name, one in described.items()
        if JSON in one.get("requestBody", {}).get("content", {})
    }
    for name, schema in schemas.items():
        for example in examples_of(described[name]["requestBody"]["content"][JSON]):
            schema.load(example)


def test_every_query_example_loads_with_the_schema_of_its_view(app: Flask) -> None:
    schemas = request_schemas(app, "query")
    assert len(schemas) > 8
    for schema in schemas.values():
        # Query strings contain text.
        values = {
            one.data_key or one.name: str(one.metadata["example"]) for one in schema.fields.values()
        }
        schema.load(values)


def test_variants_of_a_request_contain_each_field_at_least_once(document: Json) -> None:
    for operation in operations(document):
        content = operation.described.get("requestBody", {}).get("content", {}).get(JSON, {})
        if "examples" in content:
            schema = document["components"]["schemas"][content["schema"]["$ref"].split("/")[-1]]
            used = {name for example in examples_of(content) for name in example}
            assert used == set(schema["properties"]), operation.name


def test_examples_of_changes_change_one_thing(document: Json) -> None:
    """The API explorer fills in the example, which must not overwrite every setting if sent."""
    changes = {
        one.name: examples_of(one.described["requestBody"]["content"][JSON])
        for one in operations(document)
        if one.method == "PATCH" or one.name == "set_app_secrets"
    }
    assert {name: [set(one) for one in found] for name, found in changes.items()} == {
        "change_me": [{"nickname"}],
        "change_app": [{"name"}],
        "set_app_secrets": [{"next_secret"}],
        "change_tenant": [{"name"}],
        # A role needs its tenant.
        "change_operator": [{"status"}, {"role", "tenant"}],
        "change_user": [{"status"}],
    }


def test_tokens_in_examples_are_obviously_not_real(document: Json) -> None:
    text = json.dumps(document, ensure_ascii=False)
    tokens = set(re.findall(r"wx[pr]_[\w-]+|eyJ[\w.-]+", text))
    assert len(tokens) >= 3
    assert all("example" in token for token in tokens)


@pytest.mark.parametrize("broken", [{"expires_in": "soon"}, {"bound": None}, {"user": 5}])
def test_the_validator_rejects_a_wrong_example(document: Json, broken: Json) -> None:
    login = document["paths"]["/v1/apps/{appid}/login"]["post"]["responses"]["200"]
    content = login["content"][JSON]
    assert validator(document, content["schema"]).is_valid(content["example"])
    assert not validator(document, content["schema"]).is_valid(content["example"] | broken)

"""The OpenAPI document: completeness and validity."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from app.errors import FAILURES
from app.version import VERSION
from tests.fixtures.personas import Client

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
PROBLEM = {"$ref": "#/components/responses/Problem"}

TOKENS: list[dict[str, list[str]]] = [
    {name: []} for name in ("loginToken", "X-Litemall-Token", "X-OA-Token")
]


@pytest.fixture
def document(client: Client) -> dict[str, Any]:
    """Return the OpenAPI document from /openapi.json."""
    answer = client.send("GET", "/openapi.json")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    document: dict[str, Any] = answer.json
    return document


def nodes(tree: Any) -> Iterator[Any]:
    """Yield every node of a JSON tree."""
    yield tree
    if isinstance(tree, dict | list):
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from nodes(part)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, path and operation object of every operation."""
    for path, item in document["paths"].items():
        for method in METHODS & {name.upper() for name in item}:
            yield method, path, item[method.lower()]


def test_the_openapi_document_describes_every_native_route(
    app: Flask, document: dict[str, Any]
) -> None:
    routes = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/v1/")
        for method in (rule.methods or set()) & METHODS
    }
    assert routes <= {(method, path) for method, path, _ in operations(document)}


def test_every_openapi_operation_describes_request_responses_and_problem(
    document: dict[str, Any],
) -> None:
    for method, path, operation in operations(document):
        responses = operation["responses"]
        assert responses["default"] == PROBLEM, path
        if method in ("POST", "PUT", "PATCH"):
            assert all("schema" in body for body in operation["requestBody"]["content"].values())
            assert responses["422"] == PROBLEM
        for status in {"200", "201"} & set(responses) if path.startswith("/v1/") else ():
            assert all("schema" in body for body in responses[status]["content"].values()), path
        assert operation["summary"]
        assert {"200", "201", "204"} & set(responses)


def test_every_openapi_operation_lists_the_security_schemes_of_its_login(
    app: Flask, document: dict[str, Any]
) -> None:
    header = document["components"]["securitySchemes"]["X-OA-Token"]
    assert header == {"type": "apiKey", "in": "header", "name": "X-OA-Token"}
    scheme = document["components"]["securitySchemes"]["loginToken"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    logins = {
        view.__name__: view.__dict__["login"]
        for endpoint, view in app.view_functions.items()
        if endpoint.split(".")[0] in ("apps", "me", "identity", "health")
        or endpoint.startswith("admin_")
    }
    jwt = document["components"]["securitySchemes"]["operatorJwt"]
    assert (jwt["type"], jwt["scheme"], jwt["bearerFormat"]) == ("http", "bearer", "JWT")
    for _, path, operation in operations(document):
        tokens = [{"operatorJwt": []}] if path.startswith("/v1/admin/") else TOKENS
        needed = [] if logins[operation["operationId"]] == "none" else tokens
        assert operation["security"] == needed, path


def test_openapi_describes_the_idempotency_key_of_admin_operations_that_create(
    document: dict[str, Any],
) -> None:
    creations = {
        path: operation
        for _, path, operation in operations(document)
        if path.startswith("/v1/admin/") and "201" in operation["responses"]
    }
    assert len(creations) == 4
    for path, operation in creations.items():
        names = [one.get("name") for one in operation["parameters"]]
        assert "Idempotency-Key" in names, path


def test_openapi_describes_the_filters_and_paging_of_the_user_list(
    document: dict[str, Any],
) -> None:
    search = document["paths"]["/v1/admin/tenants/{slug}/users"]["get"]["parameters"]
    names = {one["name"] for one in search if one["in"] == "query"}
    assert names == {
        *("cursor", "limit", "count"),
        *("account", "phone", "openid", "nickname", "status"),
    }


def test_the_openapi_problem_response_lists_every_error_code(document: dict[str, Any]) -> None:
    problem = document["components"]["responses"]["Problem"]
    assert problem["content"] == {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemResponse"}}
    }
    assert set(FAILURES) <= set(re.findall(r"\w+", problem["description"]))


def test_errors_is_the_only_optional_field_of_openapi_responses(
    client: Client, document: dict[str, Any]
) -> None:
    """`errors` is present if fields are invalid. Other responses have no optional fields."""
    described = document["components"]["schemas"]["ProblemResponse"]
    assert set(described["properties"]) - set(described["required"]) == {"errors"}
    for answer, has_errors in (
        (client.send("GET", "/nothing"), False),
        (client.post("login"), True),
    ):
        expected = set(described["required"]) | ({"errors"} if has_errors else set())
        assert set(answer.json) == expected
    for name, schema in document["components"]["schemas"].items():
        if name.endswith("Response") and name != "ProblemResponse":
            assert set(schema["required"]) == set(schema["properties"]), name


def test_openapi_describes_the_cursor_header_of_the_session_list(document: dict[str, Any]) -> None:
    listing = document["paths"]["/v1/me/sessions"]["get"]
    assert set(listing["responses"]["200"]["headers"]) == {"X-Next-Cursor"}
    assert {one["name"] for one in listing["parameters"] if one["in"] == "query"} == {
        *("cursor", "limit")
    }


def test_openapi_describes_a_session_limit_as_integer_string_or_null(
    document: dict[str, Any],
) -> None:
    for name in ("AppChangeRequest", "TenantAppResponse"):
        limit = document["components"]["schemas"][name]["properties"]["session_limit"]
        assert [one["type"] for one in limit["anyOf"]] == ["integer", "string"]
        assert limit["nullable"] is True


def test_the_openapi_document_is_valid(document: dict[str, Any]) -> None:
    assert re.fullmatch(r"3\.0\.\d", document["openapi"])
    assert document["info"]["title"]
    assert document["info"]["version"] == VERSION
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    for path, item in document["paths"].items():
        named = {one["name"]: one for one in item.get("parameters", [])}
        assert set(named) == set(re.findall(r"{(\w+)}", path))
        assert all(one["in"] == "path" and one["required"] for one in named.values())
    for _, _, operation in operations(document):
        for status, response in operation["responses"].items():
            assert re.fullmatch(r"[1-5]\d\d|default", status)
            assert set(response) == {"$ref"} or response["description"]
        for need in operation["security"]:
            assert set(need) <= set(document["components"]["securitySchemes"])


def test_every_openapi_reference_has_a_target_in_the_document(document: dict[str, Any]) -> None:
    for node in nodes(document):
        if isinstance(node, dict) and "$ref" in node:
            found = document
            assert node["$ref"].startswith("#/")
            for step in node["$ref"][2:].split("/"):
                found = found[step]
        assert not (isinstance(node, str) and re.match(r"(https?:)?//", node))


def test_every_openapi_schema_has_types_and_lists_only_existing_required_fields(
    document: dict[str, Any],
) -> None:
    for name, schema in document["components"]["schemas"].items():
        assert schema["type"] == "object", name
        assert set(schema.get("required", [])) <= set(schema["properties"])
        for field in schema["properties"].values():
            assert {"type", "$ref", "anyOf", "allOf"} & set(field), name

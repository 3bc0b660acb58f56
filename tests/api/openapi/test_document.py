"""The OpenAPI document: completeness and validity."""

import json
import re
from typing import Any

from flask import Flask

from app.version import VERSION
from tests.fixtures.openapi.reading import nodes, operations
from tests.fixtures.personas import Client

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
PROBLEM = {"$ref": "#/components/responses/Problem"}

TOKENS: list[dict[str, list[str]]] = [
    {name: []} for name in ("loginToken", "X-Litemall-Token", "X-OA-Token")
]


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
            assert "422" in responses
        for status in {"200", "201"} & set(responses) if path.startswith("/v1/") else ():
            assert all("schema" in body for body in responses[status]["content"].values()), path
        assert operation["summary"]
        assert {"200", "201", "204"} & set(responses)


def test_every_openapi_operation_lists_the_security_schemes_of_its_login(
    app: Flask, document: dict[str, Any]
) -> None:
    header = document["components"]["securitySchemes"]["X-OA-Token"]
    assert (header["type"], header["in"], header["name"]) == ("apiKey", "header", "X-OA-Token")
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
    assert len(creations) == 8
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
    for example in references_in_responses(document):
        assert example.removeprefix("#/components/examples/") in document["components"]["examples"]


def references_in_responses(document: dict[str, Any]) -> set[str]:
    """Return the references to examples of errors."""
    return set(re.findall(r'"(#/components/examples/[^"]+)"', json.dumps(document)))


def test_the_server_url_includes_the_path_prefix_of_the_request(client: Client) -> None:
    """The document is cached, and a proxy may set another prefix for each request."""
    for prefix in ("/auth", "", '/a"b', "/auth/2"):
        answer = client.send("GET", "/openapi.json", environ_overrides={"SCRIPT_NAME": prefix})
        (server,) = answer.json["servers"]
        assert server["url"] == (prefix or "/")


def test_operations_are_listed_in_reading_order(document: dict[str, Any]) -> None:
    assert next(iter(document["paths"])) == "/v1/apps/{appid}/login"
    for _, _, operation in operations(document):
        assert list(operation)[:4] == ["tags", "summary", "description", "operationId"]
        statuses = list(operation["responses"])
        assert statuses == sorted(statuses)


def test_every_openapi_schema_has_types_and_lists_only_existing_required_fields(
    document: dict[str, Any],
) -> None:
    for name, schema in document["components"]["schemas"].items():
        assert schema["type"] == "object", name
        assert set(schema.get("required", [])) <= set(schema["properties"])
        for field in schema["properties"].values():
            assert {"type", "$ref", "anyOf", "allOf"} & set(field), name


def test_the_parameters_of_verify_paths_are_the_audience_of_the_token(
    document: dict[str, Any],
) -> None:
    """Back ends call these paths. The roles of operators do not matter there."""
    for path in ("/v1/apps/{appid}/verify", "/v1/tenants/{slug}/verify"):
        (parameter,) = document["paths"][path]["parameters"]
        assert "only accepted" in parameter["description"]
        assert "403" in parameter["description"]
    for path, item in document["paths"].items():
        for parameter in item.get("parameters", ()):
            is_of_operators = "Operators" in parameter["description"]
            assert is_of_operators <= path.startswith("/v1/admin/"), path

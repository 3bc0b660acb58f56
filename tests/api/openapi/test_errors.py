"""The errors in the OpenAPI document, and the fixture that compares them with all responses."""

import re
from importlib import import_module
from typing import Any

import jsonschema_rs
import pytest
from flask import Flask

from app.api.openapi.errors import ANYWHERE
from app.errors import FAILURES, PushStale
from tests.fixtures.openapi.documented_errors import DocumentedErrors, codes_by_operation
from tests.fixtures.openapi.reading import PROBLEM, as_json_schema, operations
from tests.fixtures.personas import Client, failure

Json = dict[str, Any]
# Errors that only these return: dialects, WeChat's message push, commands and the console.
ELSEWHERE = {
    "dialects": {"app_unclear"},
    "message push": {code for code in FAILURES if code.startswith("push_")},
    "commands": {
        *("app_taken", "encryption_key_present", "encryption_key_unknown", "key_rotation_pending"),
        *("people_refused", "import_interrupted"),
    },
    "console": {
        *("page_outdated", "host_not_allowed", "cookies_ambiguous", "cross_site_form"),
        *("app_held_elsewhere", "password_too_short"),
    },
}


def test_every_error_code_has_an_example_problem(document: Json) -> None:
    examples = document["components"]["examples"]
    schema = as_json_schema(document["components"]["schemas"]["ProblemResponse"])
    assert set(examples) == set(FAILURES)
    for code, example in examples.items():
        problem = example["value"]
        jsonschema_rs.validate(schema, problem)
        assert (problem["code"], problem["status"]) == (code, FAILURES[code].status)
        assert problem["type"] == f"urn:wxpass:problem:{code}"
        assert example["description"] == problem["detail"]
        assert not re.search(r"{\w+}", problem["detail"]), code


def test_an_example_problem_has_the_fields_of_a_real_response(
    client: Client, document: Json
) -> None:
    real = client.send("GET", "/v1/me").json
    example = document["components"]["examples"]["token_missing"]["value"]
    assert real == example | {"request_id": real["request_id"]}
    invalid = document["components"]["examples"]["request_invalid"]["value"]
    real = client.post("login").json
    assert real == invalid | {"request_id": real["request_id"]}


def test_an_error_response_lists_the_codes_of_its_status(document: Json) -> None:
    for operation in operations(document):
        for status, response in operation.described["responses"].items():
            if PROBLEM in response.get("content", {}):
                content = response["content"][PROBLEM]
                assert content["schema"] == {"$ref": "#/components/schemas/ProblemResponse"}
                assert content["examples"]
                for code, example in content["examples"].items():
                    assert example == {"$ref": f"#/components/examples/{code}"}
                    assert FAILURES[code].status == int(status), f"{operation.name} {code}"
                    assert f"- `{code}`: " in response["description"]


def test_the_default_response_lists_the_errors_of_every_operation(document: Json) -> None:
    problem = document["components"]["responses"]["Problem"]
    assert set(problem["content"][PROBLEM]["examples"]) == {one.code for one in ANYWHERE}
    for operation in operations(document):
        default = operation.described["responses"]["default"]
        assert default == {"$ref": "#/components/responses/Problem"}


def test_every_error_code_is_documented_by_an_operation_or_returned_elsewhere(
    document: Json,
) -> None:
    documented = set().union(*codes_by_operation(document).values())
    elsewhere = set().union(*ELSEWHERE.values())
    assert documented | elsewhere == set(FAILURES)
    assert not documented & elsewhere


def test_only_a_logout_accepts_expired_tokens(document: Json) -> None:
    codes = codes_by_operation(document)
    tokens = {name for name, listed in codes.items() if "token_missing" in listed}
    admin = {name for name in tokens if "sign_in_expired" in codes[name]}
    expired = {name for name, listed in codes.items() if "session_expired" in listed}
    assert tokens - admin - expired == {"log_out"}


def test_only_operations_with_a_wechat_code_mention_the_code(document: Json) -> None:
    for operation in operations(document):
        codes = codes_by_operation(document)[operation.name]
        response = operation.described["responses"].get("400", {"description": ""})
        mentions = "WeChat does not accept the code" in response["description"].split("\n")[0]
        assert mentions == ("code_invalid" in codes), operation.name
        assert ("502" in operation.described["responses"]) == mentions, operation.name


def test_an_undocumented_error_is_recorded(
    app: Flask,
    client: Client,
    documented_errors: DocumentedErrors,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise PushStale

    monkeypatch.setattr(import_module("app.api.health"), "check_readiness", fail)
    assert failure(client.send("GET", "/readyz")) == (403, "push_stale")
    assert documented_errors.take_undocumented() == [("service_is_ready", "push_stale")]
    assert documented_errors.take_undocumented() == []


def test_documented_errors_are_not_recorded(
    client: Client, documented_errors: DocumentedErrors
) -> None:
    """Neither are errors that belong to no operation, such as unknown paths."""
    assert failure(client.send("GET", "/v1/me")) == (401, "token_missing")
    assert failure(client.send("GET", "/nothing")) == (404, "not_found")
    assert documented_errors.take_undocumented() == []

"""Everything in the OpenAPI document is described, so that a reader needs no other page."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from flask import Flask

from tests.fixtures.openapi.reading import (
    bodies,
    examples_of,
    fields,
    nodes,
    operations,
    parameters,
    request_schemas,
)

Json = dict[str, Any]


def described_parts(document: Json) -> Iterator[tuple[str, Json]]:
    """Yield everything that needs a description, except operations."""
    components = document["components"]
    for kind in ("schemas", "securitySchemes", "responses", "examples"):
        yield from ((f"{kind} {name}", part) for name, part in components[kind].items())
    yield "info", document["info"]
    yield from (("server", server) for server in document["servers"])
    yield from ((f"tag {tag['name']}", tag) for tag in document["tags"])
    yield from fields(document)
    yield from parameters(document)
    for operation in operations(document):
        for name, body in bodies(operation):
            yield f"{operation.name} {name}", body
            headers = body.get("headers", {})
            yield from ((f"{operation.name} {one}", part) for one, part in headers.items())


def test_everything_in_the_openapi_document_has_a_description(document: Json) -> None:
    undescribed = [
        name for name, part in described_parts(document) if not part.get("description", "").strip()
    ]
    assert undescribed == []


def test_the_description_of_an_operation_says_more_than_its_summary(document: Json) -> None:
    for _, _, operation in operations(document):
        summary, description = operation["summary"], operation["description"]
        assert summary.strip()
        assert not summary.endswith(".")
        assert len(description) > len(summary), summary
        assert summary not in description
        assert description.endswith(".")


def test_every_operation_and_tag_has_its_own_text(document: Json) -> None:
    texts = [
        operation[name]
        for _, _, operation in operations(document)
        for name in ("summary", "description")
    ]
    texts += [tag["description"] for tag in document["tags"]]
    repeated = {text for text, number in Counter(texts).items() if number > 1}
    assert repeated == set()


def test_descriptions_have_no_line_breaks_of_the_source_code(document: Json) -> None:
    """A docstring is wrapped at 100 characters. Clients that show plain text keep line breaks."""
    for _, _, operation in operations(document):
        for paragraph in operation["description"].split("\n\n"):
            assert "\n" not in paragraph
            assert "  " not in paragraph


def test_every_operation_has_one_listed_tag_and_every_tag_an_operation(document: Json) -> None:
    listed = [tag["name"] for tag in document["tags"]]
    assert listed[0] == "Login"
    used = [operation["tags"] for _, _, operation in operations(document)]
    assert all(len(tags) == 1 for tags in used)
    assert {tag for (tag,) in used} == set(listed)
    assert len(set(listed)) == len(listed)
    for _, path, operation in operations(document):
        is_admin = operation["tags"][0].startswith("Admin: ")
        assert is_admin == path.startswith("/v1/admin/"), path


def test_every_security_scheme_says_where_its_token_comes_from(document: Json) -> None:
    schemes = document["components"]["securitySchemes"]
    assert "POST /v1/apps/{appid}/login" in schemes["loginToken"]["description"]
    assert "usual" in schemes["loginToken"]["description"]
    assert "POST /v1/admin/sign-in" in schemes["operatorJwt"]["description"]
    for name in ("X-Litemall-Token", "X-OA-Token"):
        assert "existing clients" in schemes[name]["description"]


def test_the_document_names_title_licence_and_version(document: Json) -> None:
    assert document["info"]["license"] == {"name": "Apache-2.0"}
    assert "contact" not in document["info"]


def test_every_variant_of_a_request_is_an_example_with_a_summary(
    app: Flask, document: Json
) -> None:
    variants = [
        one
        for operation in operations(document)
        for _, body in bodies(operation)
        for content in body.get("content", {}).values()
        for one in content.get("examples", {}).values()
        if "$ref" not in one
    ]
    assert len(variants) == sum(len(one.variants) for one in request_schemas(app, "json").values())
    assert all(one["summary"] for one in variants)


def test_the_document_contains_no_internal_marks(document: Json) -> None:
    names = {name for node in nodes(document) if isinstance(node, dict) for name in node}
    assert not {name for name in names if name.startswith("x-")}
    assert examples_of({}) == []

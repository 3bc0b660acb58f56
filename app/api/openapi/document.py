"""Builds the OpenAPI document in one language from what flask-smorest has collected.

The document of flask-smorest lacks descriptions of path parameters, whole examples, and errors.
"""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from apispec import APISpec
from marshmallow import Schema

from app.api.blueprint import ERROR_CODES, PROBLEM
from app.api.openapi.examples import whole_example
from app.api.openapi.parameters import path_parameter
from app.api.openapi.problems import default_response, error_responses, problem_examples
from app.api.openapi.tags import TAGS
from app.api.openapi.texts import INFO, LICENCE, SERVER
from app.languages import openapi_texts
from app.schemas.descriptions.about import COMPOSED, summary_of

METHODS = ("get", "post", "put", "patch", "delete")
JSON = "application/json"
TEXTS = ("summary", "description")
READING_ORDER = (
    *("tags", "summary", "description", "operationId", "security"),
    *("parameters", "requestBody", "responses"),
)
# Schemas of flask-smorest's own errors and pagination, which wxpass replaces.
UNUSED = ("Error", "PaginationMetadata")


def build_document(spec: APISpec, server_url: str, language: str) -> dict[str, Any]:
    """Return the OpenAPI document in a language. Needs an app context."""
    document = _described(spec, server_url)
    _translate(document, language)
    for path, method, operation in list(operations_of(document)):
        operation["responses"] |= error_responses(operation.pop(ERROR_CODES), language)
        document["paths"][path][method] = _in_order(operation)
    components = document["components"]
    components["examples"] = problem_examples(language)
    components["responses"][PROBLEM] = default_response(language)
    return document


def _described(spec: APISpec, server_url: str) -> dict[str, Any]:
    """Return the English document, without errors."""
    document: dict[str, Any] = deepcopy(spec.to_dict())
    document["info"] |= {"description": INFO, "license": {"name": LICENCE}}
    document["servers"] = [{"url": server_url, "description": SERVER}]
    document["components"]["responses"] = {}
    document["tags"] = [{"name": tag.name, "description": tag.description} for tag in TAGS]
    schemas, classes = document["components"]["schemas"], _schema_classes(spec)
    for name in UNUSED:
        del schemas[name]
    for name, schema in schemas.items():
        schema["description"] = summary_of(classes[name])
    for path, item in document["paths"].items():
        for parameter in item.get("parameters", ()):
            description, example = path_parameter(path, parameter["name"])
            parameter |= {"description": description, "example": example}
    for _, _, operation in operations_of(document):
        _unwrap(operation)
        for parameter in operation.get("parameters", ()):
            # Swagger UI would send the examples of optional parameters, such as a cursor.
            parameter["schema"].pop("example", None)
        for content in _json_contents(operation):
            given = content.get("example", COMPOSED)
            content |= whole_example(content["schema"], schemas, classes, given)
    return document


def operations_of(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield path, method and operation object of every operation of an OpenAPI document."""
    for path, item in document["paths"].items():
        yield from ((path, method, item[method]) for method in METHODS if method in item)


def _in_order(operation: dict[str, Any]) -> dict[str, Any]:
    """Return an operation with its parts in the order of READING_ORDER, and sorted responses."""
    operation["responses"] = dict(sorted(operation["responses"].items()))
    return {name: operation[name] for name in READING_ORDER if name in operation}


def _schema_classes(spec: APISpec) -> dict[str, type[Schema]]:
    """Return the schema of each component."""
    (plugin,) = (one for one in spec.plugins if hasattr(one, "converter"))
    return {name: key[0] for key, name in plugin.converter.refs.items()}


def _unwrap(operation: dict[str, Any]) -> None:
    """Write each paragraph of a docstring in one line, as translations name it."""
    for name in TEXTS:
        paragraphs = operation[name].split("\n\n")
        operation[name] = "\n\n".join(" ".join(one.split()) for one in paragraphs)
    operation["summary"] = operation["summary"].removesuffix(".")


def _json_contents(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
    contents = [body["content"] for body in bodies if "content" in body]
    return (content[JSON] for content in contents if JSON in content)


def _translate(document: dict[str, Any], language: str) -> None:
    found = list(texts_of(document))
    translations = openapi_texts(dict.fromkeys(node[name] for node, name in found), language)
    for node, name in found:
        node[name] = translations[node[name]]


def texts_of(tree: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield every object with a summary or description, and which of them it has."""
    if isinstance(tree, dict):
        yield from ((tree, name) for name in TEXTS if isinstance(tree.get(name), str))
        for name, part in tree.items():
            if name != "example":
                yield from texts_of(part)
    elif isinstance(tree, list):
        for part in tree:
            yield from texts_of(part)

"""Error responses and example problems of the OpenAPI document, in one language."""

from itertools import groupby
from typing import Any

from app.api.openapi.errors import ANYWHERE
from app.api.openapi.texts import ANY_ERROR, CODE_ERRORS, ERRORS, RETRY_AFTER
from app.errors import FAILURES, CodeInvalid, Failure
from app.languages import all_translated, openapi_texts
from app.problems import problem_details

REQUEST_ID = "4f1d2c3b5a69788796a5b4c3d2e1f001"
WAIT_SECONDS = 300
# Values for the placeholders of messages.
VALUES = {
    "people_file_imported": {"when": "2026-11-01 08:30", "who": "ann@acme.example"},
    "database_listen_worker_wrong": {"number": "2"},
    "database_role_unfit": {"statements": "ALTER ROLE CURRENT_USER SET timezone = 'UTC';"},
}
INVALID_FIELDS = {"code": ["Missing data for required field."]}
# Statuses whose responses may have a Retry-After header.
MAY_BE_RETRIED = {429, 503}
MEDIA_TYPE = "application/problem+json"


def problem_examples(language: str) -> dict[str, Any]:
    """Return an example problem for every error code, with its message as description."""
    return {code: _example(failure, language) for code, failure in FAILURES.items()}


def _example(failure: type[Failure], language: str) -> dict[str, Any]:
    message = message_of(failure, language)
    problem = problem_details(failure(), message, REQUEST_ID)
    if failure.code == "request_invalid":
        problem["errors"] = INVALID_FIELDS
    return {"summary": failure.code, "description": message, "value": problem}


def message_of(failure: type[Failure], language: str) -> str:
    """Return the message of an error in a language, with its placeholders replaced."""
    example = failure(retry_after=WAIT_SECONDS, values=VALUES.get(failure.code))
    return all_translated(example.sentences, language, example.parameters)


def error_responses(codes: list[str], language: str) -> dict[str, Any]:
    """Return the response object of each status of the codes, which are sorted by status."""
    texts = openapi_texts([*ERRORS.values(), CODE_ERRORS, RETRY_AFTER], language)
    by_status = groupby(codes, lambda code: FAILURES[code].status)
    listed = {status: list(group) for status, group in by_status}
    responses = {
        status: _response(texts[_text_of(status, group)], group, language)
        for status, group in listed.items()
    }
    header = {"description": texts[RETRY_AFTER], "schema": {"type": "integer"}, "example": 5}
    for status in responses.keys() & MAY_BE_RETRIED:
        responses[status]["headers"] = {"Retry-After": header}
    return {str(status): response for status, response in responses.items()}


def _text_of(status: int, codes: list[str]) -> str:
    return CODE_ERRORS if CodeInvalid.code in codes else ERRORS[status]


def default_response(language: str) -> dict[str, Any]:
    """Return the response with the errors that every operation may return."""
    (text,) = openapi_texts([ANY_ERROR], language).values()
    return _response(text, [failure.code for failure in ANYWHERE], language)


def _response(text: str, codes: list[str], language: str) -> dict[str, Any]:
    """Return a response whose description lists the codes with their messages."""
    lines = [f"- `{code}`: {message_of(FAILURES[code], language)}" for code in codes]
    return {"description": "\n".join([text, "", *lines]), "content": problem_content(codes)}


def problem_content(codes: list[str]) -> dict[str, Any]:
    """Return the content of an error response, with a named example for each code."""
    examples = {code: {"$ref": f"#/components/examples/{code}"} for code in codes}
    schema = {"$ref": "#/components/schemas/ProblemResponse"}
    return {MEDIA_TYPE: {"schema": schema, "examples": examples}}

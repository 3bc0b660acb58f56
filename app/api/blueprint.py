"""Base class of the native blueprints: strict JSON bodies and OpenAPI descriptions."""

import json
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from flask import Request
from flask_smorest import Blueprint as SmorestBlueprint
from marshmallow import RAISE, Schema, missing
from webargs.flaskparser import FlaskParser, abort, is_json_request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from app.api.openapi.errors import error_codes_of
from app.auth import BARE_TOKEN_HEADERS
from app.errors import Failure
from app.schemas.descriptions.about import summary_of
from app.schemas.loading import RequestSchema

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

PROBLEM = "Problem"
# Security schemes in the OpenAPI document. The login token may be sent in any of these headers.
LOGIN_TOKEN = "loginToken"  # noqa: S105
LOGIN_TOKENS: list[dict[str, list[str]]] = [
    {name: []} for name in (LOGIN_TOKEN, *BARE_TOKEN_HEADERS)
]
NO_BODY = "The request succeeded. The response has no body."
# Replaced by error responses when the document is built (app/api/openapi/document.py).
ERROR_CODES = "x-error-codes"


def whole_body(req: Request) -> bytes:
    """Return the request body. Raise RequestEntityTooLarge if it exceeds MAX_CONTENT_LENGTH."""
    body = req.get_data()
    # Werkzeug truncates a chunked body at the limit without raising an error.
    if len(body) >= (req.max_content_length or len(body) + 1):
        raise RequestEntityTooLarge
    return body


class Query(FlaskParser):
    """Parser of query strings. Rejects a repeated name: a proxy may have read the other value."""

    def load_querystring(self, req: Request, schema: Schema) -> Any:
        """Return the query parameters. Abort with 422 if a name is repeated."""
        given = req.args.to_dict(flat=False)
        if twice := {name: ["Given twice."] for name in given if len(given[name]) > 1}:
            abort(422, messages={"query": twice})
        return req.args.to_dict()


class JsonBody(Query):
    """Parser that accepts bodies only as JSON and rejects unknown query parameters."""

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, Any] = {  # noqa: RUF012
        **FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION,
        "query": RAISE,
    }

    def load_json(self, req: Request, schema: Schema) -> Any:
        """Return the parsed JSON body, or `missing` if it is empty. Abort with 413, 415 or 400."""
        body = whole_body(req)
        if not body:
            return missing
        if not is_json_request(req):
            raise UnsupportedMediaType
        try:
            return json.loads(
                body.decode(), object_pairs_hook=_without_repeats, parse_constant=_refuse
            )
        except (ValueError, RecursionError):
            abort(400, messages={"json": ["Invalid JSON body."]})


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object as a dict. Raise ValueError for a repeated name.

    A proxy in front may have read the other value.
    """
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else _refuse("a name that comes twice")


def _refuse(what: str) -> Any:
    """Raise ValueError. Also called by Python's JSON parser for NaN and Infinity."""
    raise ValueError(what)


class Blueprint(SmorestBlueprint):  # type: ignore[misc]
    """A blueprint of native views. Each view must have a login decorator from app/auth.py.

    `tag` is the OpenAPI tag of its operations, a name in app/api/openapi/tags.py. A view can have
    another one: `@blp.get("/x", tags=[SESSION])`.
    """

    ARGUMENTS_PARSER = JsonBody()
    # A request needs only one of these security schemes.
    LOGINS = LOGIN_TOKENS

    def __init__(self, name: str, import_name: str, *, tag: str, **options: Any) -> None:
        super().__init__(name, import_name, **options)
        self.tag = tag

    def arguments(
        self, schema: type[RequestSchema[T]], **options: Any
    ) -> Callable[[Callable[Concatenate[T, P], R]], Callable[P, R]]:
        """Return a decorator that passes the loaded request record to the view as first argument.

        The schema is instantiated once, when the view is defined. Its docstring describes the body.
        """
        decorate: Callable[[Callable[Concatenate[T, P], R]], Callable[P, R]]
        decorate = super().arguments(schema(), description=summary_of(schema), **options)
        return decorate

    def response(
        self, status: int, schema: Any = None, **options: Any
    ) -> Callable[[Callable[P, Any]], Callable[P, Any]]:
        """Return smorest's response decorator, typed so that mypy checks the view's parameters.

        The docstring of a schema class describes the response.
        """
        if isinstance(schema, type):
            options.setdefault("description", summary_of(schema))
        options.setdefault("description", NO_BODY)
        decorate: Callable[[Callable[P, Any]], Callable[P, Any]]
        decorate = super().response(status, schema, **options)
        return decorate

    def errors(self, *failures: type[Failure]) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Return a decorator that documents errors which the service of the view raises.

        The errors of the view's other decorators are documented too, see app/api/openapi/errors.py.
        """

        def decorate(view: Callable[P, R]) -> Callable[P, R]:
            view.__dict__["errors"] = failures
            return view

        return decorate

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        **options: Any,
    ) -> None:
        """Add a view. Describe its login token and its error responses in OpenAPI."""
        if view_func is not None:
            path = (self.url_prefix or "") + rule
            view_func = self.doc(**self.description_of(view_func, path))(view_func)
        options["tags"] = options.get("tags") or [self.tag]
        super().add_url_rule(rule, endpoint, view_func, **options)

    def description_of(self, view: Callable[..., Any], path: str) -> dict[str, Any]:
        """Return the OpenAPI operation id, security and error codes of a view."""
        return {
            "operationId": view.__name__,
            "security": [] if view.__dict__["login"] == "none" else self.LOGINS,
            ERROR_CODES: error_codes_of(view, path),
        }

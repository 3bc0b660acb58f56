"""Base class of the native blueprints: strict JSON bodies and OpenAPI descriptions."""

import json
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from flask import Request
from flask_smorest import Blueprint as SmorestBlueprint
from marshmallow import RAISE, Schema, missing
from webargs.flaskparser import FlaskParser, abort, is_json_request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from app.auth import BARE_TOKEN_HEADERS
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
REFERENCE = {"$ref": f"#/components/responses/{PROBLEM}"}


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
    """A blueprint of native views. Each view must have a login decorator from app/auth.py."""

    ARGUMENTS_PARSER = JsonBody()
    # A request needs only one of these security schemes.
    LOGINS = LOGIN_TOKENS

    def arguments(
        self, schema: type[RequestSchema[T]], **options: Any
    ) -> Callable[[Callable[Concatenate[T, P], R]], Callable[P, R]]:
        """Return a decorator that passes the loaded request record to the view as first argument.

        The schema is instantiated once, when the view is defined.
        """
        decorate: Callable[[Callable[Concatenate[T, P], R]], Callable[P, R]]
        decorate = super().arguments(schema(), **options)
        return decorate

    def response(
        self, *description: Any, **options: Any
    ) -> Callable[[Callable[P, Any]], Callable[P, Any]]:
        """Return smorest's response decorator, typed so that mypy checks the view's parameters."""
        decorate: Callable[[Callable[P, Any]], Callable[P, Any]]
        decorate = super().response(*description, **options)
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
            view_func = self.doc(**self.description_of(view_func))(view_func)
        super().add_url_rule(rule, endpoint, view_func, **options)

    def description_of(self, view: Callable[..., Any]) -> dict[str, Any]:
        """Return the OpenAPI operation id, security and 422 response of a view."""
        return _description(view, self.LOGINS)


def _description(view: Callable[..., Any], logins: list[dict[str, list[str]]]) -> dict[str, Any]:
    description: dict[str, Any] = {
        "operationId": view.__name__,
        "security": [] if view.__dict__["login"] == "none" else logins,
    }
    if "arguments" in view.__dict__["_apidoc"]:
        description["responses"] = {422: REFERENCE}
    return description

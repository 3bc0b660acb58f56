"""What dialects share: reading a request wherever its fields are, answering in an envelope."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import Blueprint, Response, jsonify, request
from marshmallow import Schema, ValidationError

from app.errors import Failure, MethodNotAllowed, RequestInvalid
from app.languages import speaking
from app.problems import failure_of, message_of
from app.tenancy import BY_REFERER

P = ParamSpec("P")
R = TypeVar("R")

Envelope = Callable[[Any], dict[str, Any]]
FailureEnvelope = Callable[[Failure, str], dict[str, Any]]

MOTHER_TONGUE = "zh"  # of the people whom these clients were written for


class Dialect(Blueprint):
    """Paths that name no app: each is found below /apps/<appid>, and bare, by the Referer."""

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        """Add a view at both of its addresses."""
        add, automatic = super().add_url_rule, provide_automatic_options
        add(f"/apps/<appid>{rule}", endpoint, view_func, automatic, **options)
        add(rule, endpoint, view_func, automatic, defaults={"appid": BY_REFERER}, **options)


def said(schema: type[Schema]) -> Any:
    """Read what the request says, in its query, form or JSON body; raise RequestInvalid."""
    fields = {**request.args.to_dict(), **request.form.to_dict(), **_json_object()}
    try:
        return schema().load(fields)
    except ValidationError as error:
        raise RequestInvalid(errors=error.messages_dict) from None


def _json_object() -> dict[str, Any]:
    try:
        body = request.get_json(silent=True)
    except RecursionError:  # thousands of brackets; `silent` is about ValueError only
        return {}
    return body if isinstance(body, dict) else {}


def answering(envelope: Envelope, schema: type[Schema] | None) -> Callable[..., Any]:
    """Decorate a view: dump what it returns with a schema, and put it into an envelope."""

    def decorate(view: Callable[P, R]) -> Callable[P, Response]:
        @wraps(view)
        def answer(*args: P.args, **kwargs: P.kwargs) -> Response:
            result = view(*args, **kwargs)
            with speaking(MOTHER_TONGUE):
                return jsonify(envelope(schema().dump(result) if schema else result))

        return answer

    return decorate


def failing(blueprint: Blueprint, envelope: FailureEnvelope) -> None:
    """Tell every failure of a blueprint in its envelope, with HTTP 200 unless it is our fault.

    Such clients look at the body, and several of their runtimes reject any other status before
    the page sees the body.
    """

    def tell(error: Exception) -> tuple[Response, int]:
        failure = failure_of(error)
        body = envelope(failure, message_of(failure, default=MOTHER_TONGUE))
        return jsonify(body), 500 if failure.status == 500 else 200

    blueprint.register_error_handler(Exception, tell)


def refuse_head(blueprint: Blueprint) -> None:
    """Refuse HEAD, which Flask adds to every GET: in a dialect a GET may do something."""

    def refuse() -> None:
        if request.method == "HEAD":
            raise MethodNotAllowed

    blueprint.before_request(refuse)

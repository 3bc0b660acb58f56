"""Base class of the dialects: tolerant request parsing, and responses in an envelope."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn, ParamSpec, TypeVar
from urllib.parse import parse_qsl

from flask import Blueprint, Response, jsonify, request
from marshmallow import Schema, ValidationError
from werkzeug.datastructures import MultiDict

from app.errors import BodyTooLarge, Failure, MethodNotAllowed, RequestInvalid
from app.languages import speaking
from app.problems import failure_of, message_of, retry_after_header
from app.schemas.loading import RequestSchema
from app.tenancy import BY_REFERER

P = ParamSpec("P")
T = TypeVar("T")

Envelope = Callable[[Any], dict[str, Any]]
FailureEnvelope = Callable[[Failure, str], dict[str, Any]]

APPID, BASE_APPID = "/<appid>", "/<base_appid>"
JSON_SPELLINGS = {True: "true", False: "false"}
DEFAULT_LANGUAGE = "zh"


class Dialect(Blueprint):
    """Blueprint with the paths and the response envelope of one kind of existing client.

    Several client runtimes discard the body of a response unless its status is 200. Failures
    therefore have status 200 too, except for internal errors, which have 500.
    """

    def __init__(
        self, name: str, import_name: str, success: Envelope, failure: FailureEnvelope
    ) -> None:
        super().__init__(name, import_name)
        self.success, self.failure = success, failure
        self.register_error_handler(Exception, self._error_response)
        self.before_request(_refuse_head)

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        provide_automatic_options: bool | None = None,
        *,
        needs_app: bool = True,
        **options: Any,
    ) -> None:
        """Add a view at the rule and below /apps/<appid>.

        Without an appid in the path, the Referer header names the app if `needs_app` is true.
        """
        add, automatic = super().add_url_rule, provide_automatic_options
        if APPID in rule:
            add(f"/apps{BASE_APPID}{rule}", endpoint, view_func, automatic, **options)
            add(rule, endpoint, view_func, automatic, **options)
            return
        add(f"/apps{APPID}{rule}", endpoint, view_func, automatic, **options)
        by_referer = {"defaults": {"appid": BY_REFERER}} if needs_app else {}
        add(rule, endpoint, view_func, automatic, **by_referer, **options)

    def answer(
        self, schema: type[Schema] | None, envelope: Envelope | None = None
    ) -> Callable[[Callable[P, Any]], Callable[P, Response]]:
        """Return a decorator that dumps a view's result with `schema` and wraps it in `envelope`.

        Without a schema, the result itself is wrapped. The default is the success envelope.
        """
        wrap = envelope or self.success

        def decorate(view: Callable[P, Any]) -> Callable[P, Response]:
            @wraps(view)
            def answer(*args: P.args, **kwargs: P.kwargs) -> Response:
                result = view(*args, **kwargs)
                with speaking(DEFAULT_LANGUAGE):
                    return jsonify(wrap(schema().dump(result) if schema else result))

            return answer

        return decorate

    def _error_response(self, error: Exception) -> Response:
        failure = failure_of(error)
        response = jsonify(self.failure(failure, message_of(failure, default=DEFAULT_LANGUAGE)))
        response.status_code = 500 if failure.status == 500 else 200
        response.headers.extend(retry_after_header(failure))
        return response


def _refuse_head() -> None:
    """Raise MethodNotAllowed for HEAD. Flask adds HEAD to GET, but a dialect's GET may write."""
    if request.method == "HEAD":
        raise MethodNotAllowed


def load_request(schema: type[RequestSchema[T]]) -> T:
    """Return the request record that `schema` loads from query and body.

    A field in the body overrides the same name in the query. Raises RequestInvalid.
    """
    fields = {**request.args.to_dict(), **_body_fields()}
    try:
        record: T = schema().load(fields)
    except ValidationError as error:
        raise RequestInvalid(errors=error.messages_dict) from None
    return record


def _body_fields() -> dict[str, Any]:
    """Return the fields of the body: a JSON object with any content type, or a form.

    The original back ends are equally tolerant: clients send `text/plain`, no content type, or a
    misspelt one. Malformed JSON that is declared as JSON has no fields. Raises BodyTooLarge.
    """
    body = request.get_data()
    if len(body) >= (request.max_content_length or len(body) + 1):
        raise BodyTooLarge  # Werkzeug truncates a chunked body at the limit.
    fields = _json_fields(body)
    if fields is not None:
        return fields
    if request.is_json:
        return {}
    if request.mimetype == "multipart/form-data":
        return request.form.to_dict()
    pairs = parse_qsl(body.decode(errors="replace"), keep_blank_values=True)
    return MultiDict(pairs).to_dict()


def _json_fields(body: bytes) -> dict[str, Any] | None:
    """Return the fields of a JSON object, or None if the body is not one.

    Numbers and booleans become strings with their JSON spelling, as Jackson does it: 13800138000
    becomes "13800138000", 1e3 becomes "1e3" and true becomes "true".
    """
    try:
        value = json.loads(
            body,
            object_hook=_with_texts,
            parse_int=str,
            parse_float=str,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _with_texts(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: JSON_SPELLINGS[value] if isinstance(value, bool) else value
        for name, value in fields.items()
    }


def _refuse_constant(name: str) -> NoReturn:
    """Raise ValueError. Python's parser calls this for NaN and Infinity, which JSON excludes."""
    raise ValueError(name)

"""Base class of the dialects: tolerant reading of requests, responses in an envelope."""

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
from app.problems import advice_of, failure_of, message_of
from app.schemas.loading import RequestSchema
from app.tenancy import BY_REFERER

P = ParamSpec("P")
T = TypeVar("T")

Envelope = Callable[[Any], dict[str, Any]]
FailureEnvelope = Callable[[Failure, str], dict[str, Any]]

APPID, BASE_APPID = "/<appid>", "/<base_appid>"
JSON_SPELLINGS = {True: "true", False: "false"}
MOTHER_TONGUE = "zh"


class Dialect(Blueprint):
    """One kind of existing client: its paths, and the envelope of its responses.

    Several of their runtimes reject every status but 200 before the page sees the body. A failure
    therefore has status 200 too, except for errors of the server.
    """

    def __init__(
        self, name: str, import_name: str, success: Envelope, failure: FailureEnvelope
    ) -> None:
        super().__init__(name, import_name)
        self.success, self.failure = success, failure
        self.register_error_handler(Exception, self._tell)
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
        """Add a view below /apps/<appid>, and without it: then the Referer names the app."""
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
        """Return a decorator that dumps a view's result with a schema, in the envelope."""
        wrap = envelope or self.success

        def decorate(view: Callable[P, Any]) -> Callable[P, Response]:
            @wraps(view)
            def answer(*args: P.args, **kwargs: P.kwargs) -> Response:
                result = view(*args, **kwargs)
                with speaking(MOTHER_TONGUE):
                    return jsonify(wrap(schema().dump(result) if schema else result))

            return answer

        return decorate

    def _tell(self, error: Exception) -> Response:
        failure = failure_of(error)
        response = jsonify(self.failure(failure, message_of(failure, default=MOTHER_TONGUE)))
        response.status_code = 500 if failure.status == 500 else 200
        response.headers.extend(advice_of(failure))
        return response


def _refuse_head() -> None:
    """Refuse HEAD, which Flask adds to every GET: in a dialect a GET may do something."""
    if request.method == "HEAD":
        raise MethodNotAllowed


def said(schema: type[RequestSchema[T]]) -> T:
    """Return the record of the fields of query and body; raise RequestInvalid."""
    fields = {**request.args.to_dict(), **_body_fields()}
    try:
        record: T = schema().load(fields)
    except ValidationError as error:
        raise RequestInvalid(errors=error.messages_dict) from None
    return record


def _body_fields() -> dict[str, Any]:
    """Return the fields of the body: of a JSON object under any content type, or of a form.

    The original back ends are as tolerant, and clients send `text/plain`, no type, or one that is
    misspelt. A body that is declared to be JSON and is not has no fields.
    """
    body = request.get_data()
    if len(body) >= (request.max_content_length or len(body) + 1):
        raise BodyTooLarge  # Werkzeug cuts a chunked body off at the limit.
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

    Numbers and booleans become texts as they are spelled, as Jackson reads them into strings:
    13800138000 becomes "13800138000", 1e3 becomes "1e3" and true becomes "true".
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
    """Raise ValueError for NaN and Infinity, which Python reads and JSON does not have."""
    raise ValueError(name)

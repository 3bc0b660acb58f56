"""What dialects share: reading a request wherever its fields are, answering in an envelope."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

from flask import Blueprint, Response, jsonify, request
from marshmallow import Schema, ValidationError

from app.errors import Failure, MethodNotAllowed, RequestInvalid
from app.languages import speaking
from app.problems import advice_of, failure_of, message_of
from app.tenancy import BY_REFERER

P = ParamSpec("P")

Envelope = Callable[[Any], dict[str, Any]]
FailureEnvelope = Callable[[Failure, str], dict[str, Any]]

APPID, BASE_APPID = "/<appid>", "/<base_appid>"
MOTHER_TONGUE = "zh"  # of the people whom these clients were written for


class Dialect(Blueprint):
    """One kind of existing client: where its paths are, and the envelope it is answered in.

    Such clients look at the body, and several of their runtimes reject any other status than 200
    before the page sees the body: so a failure has it too, unless it is our fault.
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
        """Add a view below /apps/<appid>, and bare, where the Referer tells the app if need be."""
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
        """Decorate a view: dump what it returns with a schema, and put it into the envelope."""
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

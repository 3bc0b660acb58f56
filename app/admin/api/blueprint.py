"""Base class of the admin API's blueprints, with JWTs, pagination and idempotency keys."""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from flask import Response, make_response, request

from app.admin.api.access import this_operator, this_tenant_scope
from app.api.blueprint import Blueprint as NativeBlueprint
from app.api.blueprint import whole_body
from app.errors import RequestInvalid
from app.schemas.admin_requests.queries import AuditListParams, PageParams
from app.services.database.idempotency import (
    Answer,
    KeyedRequest,
    ShownUser,
    begin_or_find,
    forget_request,
    keep_answer,
)
from app.services.database.paging import CursorPage
from app.services.tenant_admin.audit_log import AuditQuery

OPERATOR_JWT = "operatorJwt"
IDEMPOTENCY_KEY = "Idempotency-Key"
KEY = re.compile(r"[!-~]{1,64}")
REPLAYED = "Idempotent-Replayed"
KEY_PARAMETER = {
    "in": "header",
    "name": IDEMPOTENCY_KEY,
    "required": False,
    "description": "A name for this request that you choose, for example a UUID. For 24 hours, a"
    " repeated request with this key gets the first response, with the header"
    " `Idempotent-Replayed: true`.",
    "schema": {"type": "string", "maxLength": 64},
}


class Blueprint(NativeBlueprint):
    """A blueprint of the admin API, which is authenticated with the JWT of an operator."""

    LOGINS: list[dict[str, list[str]]] = [{OPERATOR_JWT: []}]  # noqa: RUF012

    def description_of(self, view: Callable[..., Any], path: str) -> dict[str, Any]:
        """Return the OpenAPI description of a view, with its Idempotency-Key."""
        described = super().description_of(view, path)
        if "idempotent" in view.__dict__:
            described["parameters"] = [KEY_PARAMETER]
        return described


def paging_of(query: PageParams) -> CursorPage:
    """Convert query parameters to the pagination of the services."""
    return CursorPage(cursor=query.cursor, limit=query.limit, counted=query.counted)


def audit_query_of(query: AuditListParams) -> AuditQuery:
    """Convert query parameters to the audit query of the services."""
    return AuditQuery(
        action=query.action,
        actor_kind=query.actor_kind,
        actor_email=query.actor_email,
        subject=query.subject,
        since=query.since,
        until=query.until,
    )


def idempotent(view: Callable[..., Any]) -> Callable[..., Any]:
    """Run a view once per operator and Idempotency-Key.

    A repeated request gets the stored response. A view that raises an exception can be repeated.
    """

    @wraps(view)
    def once(*args: Any, **kwargs: Any) -> Any:
        key = request.headers.get(IDEMPOTENCY_KEY)
        if key is None:
            return view(*args, **kwargs)
        found = begin_or_find(_keyed_request(key))
        if isinstance(found, Answer):
            return _replayed_response(found)
        try:
            response = make_response(view(*args, **kwargs))
        except Exception:
            forget_request(found)
            raise
        body = response.get_data(as_text=True)
        keep_answer(found, Answer(response.status_code, body, _shown_user(response)))
        return response

    once.__dict__["idempotent"] = True
    return once


def _keyed_request(key: str) -> KeyedRequest:
    if not KEY.fullmatch(key):
        raise RequestInvalid(errors={IDEMPOTENCY_KEY: ["1 to 64 visible ASCII characters."]})
    text = f"{request.method} {request.path}\n{whole_body(request).decode(errors='replace')}"
    return KeyedRequest(this_operator().operator_id, key, text)


def _shown_user(response: Response) -> ShownUser | None:
    """Return the user of the tenant in a response with UserPageResponse, otherwise None."""
    shown = (response.get_json(silent=True) or {}).get("user")
    return ShownUser(this_tenant_scope().tenant_id, UUID(shown["id"])) if shown else None


def _replayed_response(answer: Answer) -> Response:
    response = Response(answer.body, answer.status, content_type="application/json")
    response.headers[REPLAYED] = "true"
    return response

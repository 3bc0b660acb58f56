"""Endpoint of WeChat's message push: /wx/portal/{appid}.

Only WeChat calls this endpoint, so the OpenAPI document leaves it out. Disabled apps are served
too, because WeChat reports a withdrawal of consent only once.
"""

from flask import Blueprint, Response, request

from app.api.blueprint import Query, whole_body
from app.auth import no_login
from app.schemas.portal import PushParams, PushQuery, UrlVerificationParams, UrlVerificationQuery
from app.services.pushes import receive
from app.tenancy import even_if_disabled, this_app

blp = Blueprint("portal", __name__, url_prefix="/wx/portal/<string:appid>")

QUERY = Query()


@blp.get("")
@no_login
@even_if_disabled
@QUERY.use_args(UrlVerificationQuery, location="query")
def verify_url(query: UrlVerificationParams) -> Response:
    """Answer WeChat's verification of the push URL with its `echostr`."""
    echo = receive.verify_url(
        this_app(),
        echostr=query.echostr,
        timestamp=query.timestamp,
        nonce=query.nonce,
        signature=query.signature,
        msg_signature=query.msg_signature,
    )
    return Response(echo, content_type="text/plain")


@blp.post("")
@no_login
@even_if_disabled
@QUERY.use_args(PushQuery, location="query")
def receive_push(query: PushParams) -> Response:
    """Store a pushed message and respond `success`, so that WeChat does not repeat it."""
    receive.receive(
        this_app(),
        whole_body(request),
        timestamp=query.timestamp,
        nonce=query.nonce,
        signature=query.signature,
        msg_signature=query.msg_signature,
    )
    return Response("success", content_type="text/plain")

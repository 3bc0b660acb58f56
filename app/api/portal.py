"""WeChat's message push: /wx/portal/{appid}.

Clients do not call it, so it is not in the OpenAPI document. It also serves disabled apps: WeChat
reports a withdrawal of consent only once.
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
    """Prove to WeChat that this URL belongs to the app."""
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
    """Receive a message that WeChat pushes."""
    receive.receive(
        this_app(),
        whole_body(request),
        timestamp=query.timestamp,
        nonce=query.nonce,
        signature=query.signature,
        msg_signature=query.msg_signature,
    )
    return Response("success", content_type="text/plain")

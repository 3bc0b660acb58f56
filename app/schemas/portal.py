"""What WeChat says in the query of the message push's URL."""

from marshmallow import EXCLUDE, Schema

from app.schemas.fields import Text


class PushQuery(Schema):
    """When and by whom a push was signed. WeChat says more, as the openid, which proves nothing."""

    class Meta:
        unknown = EXCLUDE

    timestamp = Text(10, required=True)
    nonce = Text(128, required=True)
    signature = Text(40, load_default="")
    msg_signature = Text(40, load_default="")


class UrlVerificationQuery(PushQuery):
    """The same, and what to echo."""

    echostr = Text(512, required=True)

"""What WeChat says in the query of the message push's URL."""

from dataclasses import dataclass, field

from marshmallow import EXCLUDE

from app.schemas.fields import Text
from app.schemas.loading import RequestSchema, T


@dataclass(frozen=True, slots=True)
class PushParams:
    """When and by whom a push was signed. A signature that was not sent is empty."""

    timestamp: str
    nonce: str
    signature: str = field(repr=False)
    msg_signature: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class UrlVerificationParams(PushParams):
    """The same, and what to echo."""

    echostr: str


class PushFields(RequestSchema[T]):
    """When and by whom a push was signed. WeChat says more, as the openid, which proves nothing."""

    class Meta:
        unknown = EXCLUDE

    timestamp = Text(10, required=True)
    nonce = Text(128, required=True)
    signature = Text(40, load_default="")
    msg_signature = Text(40, load_default="")


class PushQuery(PushFields[PushParams]):
    """The query of a push."""

    record = PushParams


class UrlVerificationQuery(PushFields[UrlVerificationParams]):
    """The same, and what to echo."""

    record = UrlVerificationParams

    echostr = Text(512, required=True)

"""Query parameters of WeChat's message push and URL verification."""

from dataclasses import dataclass, field

from marshmallow import EXCLUDE

from app.schemas.fields import Text
from app.schemas.loading import RequestSchema, T


@dataclass(frozen=True, slots=True)
class PushParams:
    """Timestamp, nonce and signatures of a push. A missing signature is an empty string."""

    timestamp: str
    nonce: str
    signature: str = field(repr=False)
    msg_signature: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class UrlVerificationParams(PushParams):
    """Parameters of a URL verification. `echostr` is the text to return to WeChat."""

    echostr: str


class PushFields(RequestSchema[T]):
    """Signed parameters. Other parameters, such as openid, are not signed and are ignored."""

    class Meta:
        unknown = EXCLUDE

    timestamp = Text(10, required=True)
    nonce = Text(128, required=True)
    signature = Text(40, load_default="")
    msg_signature = Text(40, load_default="")


class PushQuery(PushFields[PushParams]):
    """Query parameters of a pushed message."""

    record = PushParams


class UrlVerificationQuery(PushFields[UrlVerificationParams]):
    """Query parameters of a URL verification."""

    record = UrlVerificationParams

    echostr = Text(512, required=True)

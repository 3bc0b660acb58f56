"""The query of message push."""

from dataclasses import dataclass, field

from marshmallow import EXCLUDE

from app.schemas.fields import Text
from app.schemas.loading import RequestSchema, T


@dataclass(frozen=True, slots=True)
class PushParams:
    """Timestamp, nonce and signatures of a push. A signature that was not sent is empty."""

    timestamp: str
    nonce: str
    signature: str = field(repr=False)
    msg_signature: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class UrlVerificationParams(PushParams):
    """Timestamp, nonce, signatures, and the text to echo."""

    echostr: str


class PushFields(RequestSchema[T]):
    """Timestamp, nonce and signatures. Other fields, such as openid, are not signed and ignored."""

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
    """Timestamp, nonce, signatures, and the text to echo."""

    record = UrlVerificationParams

    echostr = Text(512, required=True)

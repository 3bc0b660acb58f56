"""Wire format of the check-bind dialect. Unknown fields are ignored."""

from dataclasses import dataclass, field

from marshmallow import Schema, fields

from app.schemas.fields import Account, Text
from app.schemas.requests import LoginBody, LoginRequest
from app.schemas.tolerant_requests import TolerantRequest


@dataclass(frozen=True, slots=True)
class BindBody:
    """An unbound token, and the account and password of a user."""

    handle: str = field(repr=False)
    account: str
    password: str = field(repr=False)


class BindRequest(TolerantRequest[BindBody]):
    """Account and password, with the unbound token that the page calls openId."""

    record = BindBody

    handle = Text(128, required=True, data_key="openId")
    account = Account(required=True, data_key="username")
    password = Text(128, required=True, load_only=True)


class SessionRequest(TolerantRequest[LoginBody], LoginRequest):
    """The code of `wx.login`. With account and password, the login is also bound."""

    record = LoginBody

    account = Account(data_key="username")


class SessionResponse(Schema):
    """The identified person, with an unbound token instead of the session_key."""

    openid = fields.String()
    unionid = fields.String(allow_none=True)
    token = fields.String(attribute="tokens.token")
    bound = fields.Function(lambda login: login.user is not None)

"""Schemas of the check-bind dialect. Unknown request fields are ignored."""

from dataclasses import dataclass, field

from marshmallow import Schema, fields

from app.schemas.fields import Account, Text
from app.schemas.requests import LoginBody, LoginRequest
from app.schemas.tolerant_requests import TolerantRequest


@dataclass(frozen=True, slots=True)
class BindBody:
    """An unbound token, and the account and password of the user to bind."""

    handle: str = field(repr=False)
    account: str
    password: str = field(repr=False)


class BindRequest(TolerantRequest[BindBody]):
    """Account, password and the unbound token, which the mini-program calls `openId`."""

    record = BindBody

    handle = Text(128, required=True, data_key="openId")
    account = Account(required=True, data_key="username")
    password = Text(128, required=True, load_only=True)


class SessionRequest(TolerantRequest[LoginBody], LoginRequest):
    """The `wx.login` code. With account and password, the login is also bound to that user."""

    record = LoginBody

    account = Account(data_key="username")


class SessionResponse(Schema):
    """The WeChat identity, and a wxpass token instead of WeChat's session_key."""

    openid = fields.String()
    unionid = fields.String(allow_none=True)
    token = fields.String(attribute="tokens.token")
    bound = fields.Function(lambda login: login.user is not None)

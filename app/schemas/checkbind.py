"""The check-bind pages' wire forms. They send more than is read here."""

from dataclasses import dataclass, field

from marshmallow import Schema, fields

from app.schemas.fields import Account, Text
from app.schemas.requests import LoginBody, LoginRequest
from app.schemas.tolerant_requests import TolerantRequest


@dataclass(frozen=True, slots=True)
class BindBody:
    """A handle, and the account and password of a user."""

    handle: str = field(repr=False)
    account: str
    password: str = field(repr=False)


class BindRequest(TolerantRequest[BindBody]):
    """Account and password, under the handle that the page takes for an openid."""

    record = BindBody

    handle = Text(128, required=True, data_key="openId")
    account = Account(required=True, data_key="username")
    password = Text(128, required=True, load_only=True)


class SessionRequest(TolerantRequest[LoginBody], LoginRequest):
    """The code of `wx.login`; with account and password, the person is bound at once."""

    record = LoginBody

    account = Account(data_key="username")


class SessionResponse(Schema):
    """Who this is, without WeChat's key."""

    openid = fields.String()
    unionid = fields.String(allow_none=True)
    token = fields.String(attribute="tokens.token")
    bound = fields.Function(lambda login: login.user is not None)

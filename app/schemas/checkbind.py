"""The check-bind pages' wire forms. They send more than is read here."""

from marshmallow import Schema, fields

from app.schemas.fields import Account, Text
from app.schemas.requests import LoginRequest
from app.schemas.tolerant_requests import TolerantRequest


class BindRequest(TolerantRequest):
    """Account and password, under the handle that the page takes for an openid."""

    handle = Text(128, required=True, data_key="openId")
    account = Account(required=True, data_key="username")
    password = Text(128, required=True, load_only=True)


class SessionRequest(TolerantRequest, LoginRequest):
    """The code of `wx.login`; with account and password, the person is bound at once."""

    account = Account(data_key="username")


class SessionResponse(Schema):
    """Who this is, without WeChat's key."""

    openid = fields.String()
    unionid = fields.String(allow_none=True)
    token = fields.String(attribute="tokens.token")
    bound = fields.Function(lambda login: login.user is not None)

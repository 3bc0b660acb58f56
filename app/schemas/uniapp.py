"""Schemas of the uni-app dialect. Unknown request fields are ignored."""

import json
from dataclasses import dataclass, field

from marshmallow import Schema, fields

from app.schemas.fields import Text
from app.schemas.tolerant_requests import EncryptedBody, EncryptedFields, TolerantRequest


@dataclass(frozen=True, slots=True)
class DecryptBody(EncryptedBody):
    """Encrypted phone data, the unbound token, and the appid that the client sent."""

    session_key: str = field(repr=False)
    appid: str | None = None


class DecryptRequest(EncryptedFields[DecryptBody]):
    """Encrypted data of the getPhoneNumber button, and the unbound token sent as `sessionKey`."""

    record = DecryptBody

    session_key = Text(128, required=True, data_key="sessionKey")
    appid = Text(64, data_key="appId")


@dataclass(frozen=True, slots=True)
class LoginBody:
    """The openid and phone number that the client sent, and the unbound token that proves both."""

    openid: str
    phone: str = field(repr=False)
    session_key: str = field(repr=False)


class LoginRequest(TolerantRequest[LoginBody]):
    """Login with openid and phone number. Both must match the unbound token in `sessionKey`."""

    record = LoginBody

    openid = Text(128, required=True, data_key="openId")
    phone = Text(32, required=True, data_key="phoneNumber")
    session_key = Text(128, required=True, data_key="sessionKey")


class HandleResponse(Schema):
    """The openid, and an unbound token in place of WeChat's session_key."""

    openId = fields.String(attribute="openid")
    sessionKey = fields.String(attribute="tokens.token")


class PhoneResponse(Schema):
    """The phone number as a JSON string in WeChat's format."""

    data = fields.Function(lambda user: wechat_phone_json(user.phone, str(user.phone_country_code)))


def wechat_phone_json(e164: str, code: str) -> str:
    """Return WeChat's JSON of a phone number. A Chinese `phoneNumber` has no country code."""
    pure = e164.removeprefix(f"+{code}")
    phone = pure if code == "86" else e164
    return json.dumps({"phoneNumber": phone, "purePhoneNumber": pure, "countryCode": code})

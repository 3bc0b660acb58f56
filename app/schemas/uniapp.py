"""Wire format of the uni-app dialect. Unknown fields are ignored."""

import json
from dataclasses import dataclass, field

from marshmallow import Schema, fields

from app.schemas.fields import Text
from app.schemas.tolerant_requests import EncryptedBody, EncryptedFields, TolerantRequest


@dataclass(frozen=True, slots=True)
class DecryptBody(EncryptedBody):
    """Encrypted data, the unbound token, and the app that the page names."""

    session_key: str = field(repr=False)
    appid: str | None = None


class DecryptRequest(EncryptedFields[DecryptBody]):
    """The data of the phone button, with the unbound token."""

    record = DecryptBody

    session_key = Text(128, required=True, data_key="sessionKey")
    appid = Text(64, data_key="appId")


@dataclass(frozen=True, slots=True)
class LoginBody:
    """The openid and phone that the page sent, and the unbound token that proves them."""

    openid: str
    phone: str = field(repr=False)
    session_key: str = field(repr=False)


class LoginRequest(TolerantRequest[LoginBody]):
    """The openid and phone that the page sent. Only the unbound token proves them."""

    record = LoginBody

    openid = Text(128, required=True, data_key="openId")
    phone = Text(32, required=True, data_key="phoneNumber")
    session_key = Text(128, required=True, data_key="sessionKey")


class HandleResponse(Schema):
    """The identified person, and an unbound token in place of the session_key."""

    openId = fields.String(attribute="openid")
    sessionKey = fields.String(attribute="tokens.token")


class PhoneResponse(Schema):
    """The phone number in WeChat's format, in a JSON string."""

    data = fields.Function(lambda user: spelled(user.phone, str(user.phone_country_code)))


def spelled(e164: str, code: str) -> str:
    """Return a number in WeChat's format: foreign numbers have their country code."""
    pure = e164.removeprefix(f"+{code}")
    phone = pure if code == "86" else e164
    return json.dumps({"phoneNumber": phone, "purePhoneNumber": pure, "countryCode": code})

"""uni-app's wire forms. Its pages send more than is read here."""

import json
from dataclasses import dataclass, field

from marshmallow import Schema, fields

from app.schemas.fields import Text
from app.schemas.tolerant_requests import EncryptedBody, EncryptedFields, TolerantRequest


@dataclass(frozen=True, slots=True)
class DecryptBody(EncryptedBody):
    """Encrypted data, the handle, and the app that the page names."""

    session_key: str = field(repr=False)
    appid: str | None = None


class DecryptRequest(EncryptedFields[DecryptBody]):
    """What the phone button gave, under our handle."""

    record = DecryptBody

    session_key = Text(128, required=True, data_key="sessionKey")
    appid = Text(64, data_key="appId")


@dataclass(frozen=True, slots=True)
class LoginBody:
    """The openid and phone that the page claims, and the handle that proves them."""

    openid: str
    phone: str = field(repr=False)
    session_key: str = field(repr=False)


class LoginRequest(TolerantRequest[LoginBody]):
    """Whom the page says it shows; the handle proves it, or nothing does."""

    record = LoginBody

    openid = Text(128, required=True, data_key="openId")
    phone = Text(32, required=True, data_key="phoneNumber")
    session_key = Text(128, required=True, data_key="sessionKey")


class HandleResponse(Schema):
    """Who this is, and our handle in place of WeChat's key."""

    openId = fields.String(attribute="openid")
    sessionKey = fields.String(attribute="tokens.token")


class PhoneResponse(Schema):
    """The number as WeChat spells it, in a JSON string."""

    data = fields.Function(lambda user: spelled(user.phone, str(user.phone_country_code)))


def spelled(e164: str, code: str) -> str:
    """Spell a number as WeChat does: those from abroad carry their country code."""
    pure = e164.removeprefix(f"+{code}")
    phone = pure if code == "86" else e164
    return json.dumps({"phoneNumber": phone, "purePhoneNumber": pure, "countryCode": code})

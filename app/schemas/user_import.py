"""A user, as the dialects show them."""

from typing import Any

from marshmallow import Schema, fields

CHINA = "+86"  # The country code that people leave out.


class DomesticPhone(fields.String):
    """A phone number. A Chinese number has no country code."""

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> str | None:
        return domestic(value)


def domestic(number: str | None) -> str | None:
    """Return a phone number without the Chinese country code."""
    return number and number.removeprefix(CHINA)


class PersonResponse(Schema):
    """A user, as shown to that user."""

    userId = fields.UUID(attribute="id")
    nickName = fields.String(attribute="nickname", allow_none=True)
    avatarUrl = fields.String(attribute="avatar_url", allow_none=True)
    gender = fields.Integer()
    phone = DomesticPhone(allow_none=True)


class LoginResponse(Schema):
    """A login, with its user."""

    token = fields.String(attribute="tokens.token")
    userInfo = fields.Nested(PersonResponse, attribute="user", allow_none=True)

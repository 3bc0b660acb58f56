"""Response schemas of users and logins, shared by the dialects."""

from typing import Any

from marshmallow import Schema, fields

CHINA = "+86"  # Country code of mainland China, which users leave out.


class DomesticPhone(fields.String):
    """A phone number without +86. Other country codes are kept."""

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> str | None:
        return without_china_code(value)


def without_china_code(number: str | None) -> str | None:
    """Return a phone number without +86, or None."""
    return number and number.removeprefix(CHINA)


class PersonResponse(Schema):
    """A user, as shown to that user."""

    userId = fields.UUID(attribute="id")
    nickName = fields.String(attribute="nickname", allow_none=True)
    avatarUrl = fields.String(attribute="avatar_url", allow_none=True)
    gender = fields.Integer()
    phone = DomesticPhone(allow_none=True)


class LoginResponse(Schema):
    """Login token and user. `userInfo` is null while the login is unbound."""

    token = fields.String(attribute="tokens.token")
    userInfo = fields.Nested(PersonResponse, attribute="user", allow_none=True)

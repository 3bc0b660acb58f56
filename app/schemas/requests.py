"""What clients may send. A field that is not named here is refused."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.schemas.fields import Account, AvatarUrl, Name, Text, is_encodable

OPEN_DATA = {"raw_data", "signature", "encrypted_data", "iv"}
TYPED = {"nickname", "avatar_url"}

SHORTEST_PASSWORD = 8
LONGEST_CURSOR, LONGEST_PAGE = 400, 200


class AudienceQuery(Schema):
    """Which users an authorization request admits; every user without it."""

    # Its spelling is not checked: an unknown slug admits no user.
    tenant = fields.String(metadata={"description": "The slug of the only tenant to admit."})


class LoginRequest(Schema):
    """The code of `wx.login`; with account and password, the person is bound at once."""

    code = Text(128, required=True, metadata={"description": "What `wx.login` gave."})
    account = Account()
    password = Text(128, load_only=True)

    @validates_schema
    def account_goes_with_password(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse the one without the other."""
        if ("account" in data) != ("password" in data):
            raise ValidationError("Send account and password together, or neither.", "account")


class CredentialsRequest(Schema):
    """A user's account and password."""

    account = Account(required=True)
    password = Text(128, required=True, load_only=True)


class PasswordChangeRequest(Schema):
    """The password that the logged-in user has, and the one they want."""

    old_password = Text(128, required=True, load_only=True)
    new_password = Text(128, shortest=SHORTEST_PASSWORD, required=True, load_only=True)


class RefreshRequest(Schema):
    """A refresh token; it works once."""

    refresh_token = Text(128, required=True)


class EmptyRequest(Schema):
    """Nothing: `{}`, or no body at all."""


class PhoneRequest(Schema):
    """What the phone button gave: `code` (the new way), or `encryptedData` and `iv` (the old)."""

    code = Text(128)
    encrypted_data = Text(8192, data_key="encryptedData")
    iv = Text(64)

    @validates_schema
    def is_of_one_way(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse neither and both."""
        if set(data) not in ({"code"}, {"encrypted_data", "iv"}):
            raise ValidationError("Send either code, or encryptedData and iv.", "code")


class ProfileRequest(Schema):
    """Open data as WeChat gave it, or a nickname and avatar that the person typed and chose."""

    raw_data = fields.String(data_key="rawData", validate=[validate.Length(1, 8192), is_encodable])
    signature = Text(40, shortest=40)
    encrypted_data = Text(8192, data_key="encryptedData")
    iv = Text(64)
    nickname = Name()
    avatar_url = AvatarUrl()

    @validates_schema
    def is_open_or_typed(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse a part of either, and a mixture."""
        is_typed = "nickname" in data and set(data) <= TYPED
        if set(data) != OPEN_DATA and not is_typed:
            message = "Send rawData, signature, encryptedData and iv, or nickname and avatar_url."
            raise ValidationError(message, "nickname")


class CursorQuery(Schema):
    """Which page of a list; the first one without a cursor."""

    cursor = Text(LONGEST_CURSOR, metadata={"description": "The next cursor of the page before"})
    limit = fields.Integer(validate=validate.Range(1, LONGEST_PAGE))


class ProfileChangeRequest(Schema):
    """What the logged-in user may change of themself."""

    nickname = Name()
    avatar_url = AvatarUrl()
    gender = fields.Integer(strict=True, validate=validate.OneOf([0, 1, 2]))

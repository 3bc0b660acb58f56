"""Requests of the native API. Unknown fields are refused."""

from dataclasses import dataclass, field
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.schemas.fields import Account, AvatarUrl, Name, Text, is_encodable
from app.schemas.loading import RequestSchema, T

OPEN_DATA = {"raw_data", "signature", "encrypted_data", "iv"}
TYPED = {"nickname", "avatar_url"}

SHORTEST_PASSWORD = 8
LONGEST_CURSOR, LONGEST_PAGE, DEFAULT_PAGE = 400, 200, 50


@dataclass(frozen=True, slots=True)
class AudienceParams:
    """The slug of the only tenant to admit, or None for every tenant."""

    tenant: str | None = None


class AudienceQuery(RequestSchema[AudienceParams]):
    """The audience of an authorization request. Without one, every user is admitted."""

    record = AudienceParams

    # Its spelling is not checked: an unknown slug admits no user.
    tenant = fields.String(metadata={"description": "The slug of the only tenant to admit."})


@dataclass(frozen=True, slots=True)
class LoginBody:
    """A login by code. Account and password are both given or both None."""

    code: str = field(repr=False)
    account: str | None = None
    password: str | None = field(default=None, repr=False)


class LoginRequest(RequestSchema[LoginBody]):
    """The code of `wx.login`. With account and password, the login is also bound."""

    record = LoginBody

    code = Text(128, required=True, metadata={"description": "What `wx.login` gave."})
    account = Account()
    password = Text(128, load_only=True)

    @validates_schema
    def account_goes_with_password(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse an account without a password, and a password without an account."""
        if ("account" in data) != ("password" in data):
            raise ValidationError("Send account and password together, or neither.", "account")


@dataclass(frozen=True, slots=True)
class CredentialsBody:
    """A user's account and password."""

    account: str
    password: str = field(repr=False)


class CredentialsRequest(RequestSchema[CredentialsBody]):
    """A user's account and password."""

    record = CredentialsBody

    account = Account(required=True)
    password = Text(128, required=True, load_only=True)


@dataclass(frozen=True, slots=True)
class PasswordChangeBody:
    """A user's present password and the new one."""

    old_password: str = field(repr=False)
    new_password: str = field(repr=False)


class PasswordChangeRequest(RequestSchema[PasswordChangeBody]):
    """The present password of the logged-in user, and the new one."""

    record = PasswordChangeBody

    old_password = Text(128, required=True, load_only=True)
    new_password = Text(128, shortest=SHORTEST_PASSWORD, required=True, load_only=True)


@dataclass(frozen=True, slots=True)
class RefreshBody:
    """A refresh token."""

    refresh_token: str = field(repr=False)


class RefreshRequest(RequestSchema[RefreshBody]):
    """A refresh token. It works once."""

    record = RefreshBody

    refresh_token = Text(128, required=True)


@dataclass(frozen=True, slots=True)
class EmptyBody:
    """A body without fields."""


class EmptyRequest(RequestSchema[EmptyBody]):
    """An empty object, or no body."""

    record = EmptyBody


@dataclass(frozen=True, slots=True)
class PhoneBody:
    """A phone code, or encrypted data and iv. The fields of the other way are empty."""

    code: str = field(default="", repr=False)
    encrypted_data: str = field(default="", repr=False)
    iv: str = field(default="", repr=False)


class PhoneRequest(RequestSchema[PhoneBody]):
    """The data of the phone button: `code` (new), or `encryptedData` and `iv` (old)."""

    record = PhoneBody

    code = Text(128)
    encrypted_data = Text(8192, data_key="encryptedData")
    iv = Text(64)

    @validates_schema
    def is_of_one_way(self, data: dict[str, Any], **_: Any) -> None:
        """Require exactly one of the two ways."""
        if set(data) not in ({"code"}, {"encrypted_data", "iv"}):
            raise ValidationError("Send either code, or encryptedData and iv.", "code")


@dataclass(frozen=True, slots=True)
class ProfileBody:
    """Open data, or a typed profile. The fields of the other way are empty."""

    raw_data: str = field(default="", repr=False)
    signature: str = field(default="", repr=False)
    encrypted_data: str = field(default="", repr=False)
    iv: str = field(default="", repr=False)
    nickname: str = ""
    avatar_url: str = ""


class ProfileRequest(RequestSchema[ProfileBody]):
    """Open data from WeChat, or a nickname and avatar that the person typed."""

    record = ProfileBody

    raw_data = fields.String(data_key="rawData", validate=[validate.Length(1, 8192), is_encodable])
    signature = Text(40, shortest=40)
    encrypted_data = Text(8192, data_key="encryptedData")
    iv = Text(64)
    nickname = Name()
    avatar_url = AvatarUrl()

    @validates_schema
    def is_open_or_typed(self, data: dict[str, Any], **_: Any) -> None:
        """Require either all fields of open data, or a nickname with an optional avatar."""
        is_typed = "nickname" in data and set(data) <= TYPED
        if set(data) != OPEN_DATA and not is_typed:
            message = "Send rawData, signature, encryptedData and iv, or nickname and avatar_url."
            raise ValidationError(message, "nickname")


@dataclass(frozen=True, slots=True)
class CursorParams:
    """A page of a list: the first one without a cursor."""

    cursor: str | None = None
    limit: int = DEFAULT_PAGE


class CursorFields(RequestSchema[T]):
    """The fields that every query for a page of a list has."""

    cursor = Text(LONGEST_CURSOR, metadata={"description": "The next cursor of the page before"})
    limit = fields.Integer(validate=validate.Range(1, LONGEST_PAGE))


class CursorQuery(CursorFields[CursorParams]):
    """A page of a list: the first one without a cursor."""

    record = CursorParams


@dataclass(frozen=True, slots=True)
class ProfileChangeBody:
    """New values of the profile. None leaves a field as it is."""

    nickname: str | None = None
    avatar_url: str | None = None
    gender: int | None = None


class ProfileChangeRequest(RequestSchema[ProfileChangeBody]):
    """The fields of the profile that the logged-in user may change."""

    record = ProfileChangeBody

    nickname = Name()
    avatar_url = AvatarUrl()
    gender = fields.Integer(strict=True, validate=validate.OneOf([0, 1, 2]))

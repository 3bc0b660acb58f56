"""Request schemas of the native API. Unknown fields are rejected."""

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
    """The slug of the only accepted tenant, or None to accept every tenant."""

    tenant: str | None = None


class AudienceQuery(RequestSchema[AudienceParams]):
    """The tenant that a login token must belong to. Without `tenant`, every tenant is accepted."""

    record = AudienceParams

    # The slug is not validated. An unknown slug rejects every token.
    tenant = fields.String(metadata={"description": "The slug of the only accepted tenant."})


@dataclass(frozen=True, slots=True)
class LoginBody:
    """A login with a `wx.login` code. Account and password are both set or both None."""

    code: str = field(repr=False)
    account: str | None = None
    password: str | None = field(default=None, repr=False)


class LoginRequest(RequestSchema[LoginBody]):
    """The `wx.login` code. With account and password, the login is also bound to that user."""

    record = LoginBody

    code = Text(128, required=True, metadata={"description": "The code that `wx.login` returned."})
    account = Account()
    password = Text(128, load_only=True)

    @validates_schema
    def account_goes_with_password(self, data: dict[str, Any], **_: Any) -> None:
        """Raise ValidationError unless account and password are both sent or both omitted."""
        if ("account" in data) != ("password" in data):
            raise ValidationError("Send account and password together, or neither.", "account")


@dataclass(frozen=True, slots=True)
class CredentialsBody:
    """A user's account and password."""

    account: str
    password: str = field(repr=False)


class CredentialsRequest(RequestSchema[CredentialsBody]):
    """A user's account and password, both required."""

    record = CredentialsBody

    account = Account(required=True)
    password = Text(128, required=True, load_only=True)


@dataclass(frozen=True, slots=True)
class PasswordChangeBody:
    """A user's current password and new password."""

    old_password: str = field(repr=False)
    new_password: str = field(repr=False)


class PasswordChangeRequest(RequestSchema[PasswordChangeBody]):
    """The logged-in user's current password and new password."""

    record = PasswordChangeBody

    old_password = Text(128, required=True, load_only=True)
    new_password = Text(128, shortest=SHORTEST_PASSWORD, required=True, load_only=True)


@dataclass(frozen=True, slots=True)
class RefreshBody:
    """A refresh token."""

    refresh_token: str = field(repr=False)


class RefreshRequest(RequestSchema[RefreshBody]):
    """A single-use refresh token."""

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
    """A phone code, or encrypted data and iv. Unused fields are empty strings."""

    code: str = field(default="", repr=False)
    encrypted_data: str = field(default="", repr=False)
    iv: str = field(default="", repr=False)


class PhoneRequest(RequestSchema[PhoneBody]):
    """Data of the getPhoneNumber button: `code`, or `encryptedData` and `iv` from old clients."""

    record = PhoneBody

    code = Text(128)
    encrypted_data = Text(8192, data_key="encryptedData")
    iv = Text(64)

    @validates_schema
    def has_code_or_encrypted_data(self, data: dict[str, Any], **_: Any) -> None:
        """Raise ValidationError unless exactly one of the two variants is sent."""
        if set(data) not in ({"code"}, {"encrypted_data", "iv"}):
            raise ValidationError("Send either code, or encryptedData and iv.", "code")


@dataclass(frozen=True, slots=True)
class ProfileBody:
    """Open data from WeChat, or a typed profile. Unused fields are empty strings."""

    raw_data: str = field(default="", repr=False)
    signature: str = field(default="", repr=False)
    encrypted_data: str = field(default="", repr=False)
    iv: str = field(default="", repr=False)
    nickname: str = ""
    avatar_url: str = ""


class ProfileRequest(RequestSchema[ProfileBody]):
    """Open data from WeChat, or a typed nickname with an optional avatar."""

    record = ProfileBody

    raw_data = fields.String(data_key="rawData", validate=[validate.Length(1, 8192), is_encodable])
    signature = Text(40, shortest=40)
    encrypted_data = Text(8192, data_key="encryptedData")
    iv = Text(64)
    nickname = Name()
    avatar_url = AvatarUrl()

    @validates_schema
    def is_open_or_typed(self, data: dict[str, Any], **_: Any) -> None:
        """Raise ValidationError unless all open data fields, or a typed nickname, are sent."""
        is_typed = "nickname" in data and set(data) <= TYPED
        if set(data) != OPEN_DATA and not is_typed:
            message = "Send rawData, signature, encryptedData and iv, or nickname and avatar_url."
            raise ValidationError(message, "nickname")


@dataclass(frozen=True, slots=True)
class CursorParams:
    """Cursor and size of a page. A cursor of None is the first page."""

    cursor: str | None = None
    limit: int = DEFAULT_PAGE


class CursorFields(RequestSchema[T]):
    """Query parameters shared by all cursor-paginated lists."""

    cursor = Text(LONGEST_CURSOR, metadata={"description": "`next_cursor` of the previous page"})
    limit = fields.Integer(validate=validate.Range(1, LONGEST_PAGE))


class CursorQuery(CursorFields[CursorParams]):
    """Query parameters of a cursor-paginated list. Without `cursor`, the first page is returned."""

    record = CursorParams


@dataclass(frozen=True, slots=True)
class ProfileChangeBody:
    """New profile values. None leaves a value unchanged."""

    nickname: str | None = None
    avatar_url: str | None = None
    gender: int | None = None


class ProfileChangeRequest(RequestSchema[ProfileChangeBody]):
    """The profile fields that the logged-in user may change."""

    record = ProfileChangeBody

    nickname = Name()
    avatar_url = AvatarUrl()
    gender = fields.Integer(strict=True, validate=validate.OneOf([0, 1, 2]))

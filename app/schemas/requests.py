"""Request schemas of the native API. Unknown fields are rejected."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from marshmallow import ValidationError, fields, validate, validates_schema

from app.schemas.descriptions import examples, shown
from app.schemas.descriptions.about import about
from app.schemas.fields import Account, AvatarUrl, Name, Text, is_encodable
from app.schemas.loading import RequestSchema, Variant

OPEN_DATA = {"raw_data", "signature", "encrypted_data", "iv"}
TYPED = {"nickname", "avatar_url"}

SHORTEST_PASSWORD = 8


@dataclass(frozen=True, slots=True)
class LoginBody:
    """A login with a `wx.login` code. Account and password are both set or both None."""

    code: str = field(repr=False)
    account: str | None = None
    password: str | None = field(default=None, repr=False)


class LoginRequest(RequestSchema[LoginBody]):
    """The code of `wx.login`. With account and password, the login is also bound to that user."""

    record = LoginBody
    variants: ClassVar = {
        "code": Variant("Log in with WeChat", ("code",)),
        "code_and_password": Variant(
            "Log in with WeChat and bind a user", ("code", "account", "password")
        ),
    }

    code = Text(
        128,
        required=True,
        metadata=about(
            "The code that `wx.login` returned. It works once, within five minutes.", examples.CODE
        ),
    )
    account = Account(
        metadata=about(
            "Login name of a user. Sent with `password`, it also binds the WeChat identity"
            " to that user.",
            examples.ACCOUNT,
        )
    )
    password = Text(
        128,
        load_only=True,
        metadata=about("Password of the user. Required with `account`.", examples.PASSWORD),
    )

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

    account = Account(
        required=True, metadata=about("Login name of the user in the tenant.", examples.ACCOUNT)
    )
    password = Text(
        128,
        required=True,
        load_only=True,
        metadata=about("Password of the user.", examples.PASSWORD),
    )


@dataclass(frozen=True, slots=True)
class PasswordChangeBody:
    """A user's current password and new password."""

    old_password: str = field(repr=False)
    new_password: str = field(repr=False)


class PasswordChangeRequest(RequestSchema[PasswordChangeBody]):
    """The logged-in user's current password and new password."""

    record = PasswordChangeBody

    old_password = Text(
        128, required=True, load_only=True, metadata=about("Current password.", examples.PASSWORD)
    )
    new_password = Text(
        128,
        shortest=SHORTEST_PASSWORD,
        required=True,
        load_only=True,
        metadata=shown.NEW_PASSWORD,
    )


@dataclass(frozen=True, slots=True)
class RefreshBody:
    """A refresh token."""

    refresh_token: str = field(repr=False)


class RefreshRequest(RequestSchema[RefreshBody]):
    """A single-use refresh token."""

    record = RefreshBody

    refresh_token = Text(
        128,
        required=True,
        metadata=about("The newest `refresh_token`. Each one works once.", examples.REFRESH_TOKEN),
    )


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
    """The data of the `getPhoneNumber` button."""

    record = PhoneBody
    variants: ClassVar = {
        "code": Variant("Code of the button", ("code",)),
        "encrypted_data": Variant("Encrypted data, for old clients", ("encryptedData", "iv")),
    }

    code = Text(
        128,
        metadata=about(
            "`e.detail.code` of the `getPhoneNumber` button. It is not the code of `wx.login`.",
            examples.PHONE_CODE,
        ),
    )
    encrypted_data = Text(
        8192,
        data_key="encryptedData",
        metadata=about(
            "`e.detail.encryptedData` of the button, for clients without `code`.",
            examples.ENCRYPTED_DATA,
        ),
    )
    iv = Text(
        64,
        metadata=about("`e.detail.iv` of the button. Required with `encryptedData`.", examples.IV),
    )

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
    """A nickname that the person entered, with an optional avatar, or open data from WeChat."""

    record = ProfileBody
    variants: ClassVar = {
        "typed": Variant("Nickname and avatar", ("nickname", "avatar_url")),
        "open_data": Variant(
            "Open data, for old clients", ("rawData", "signature", "encryptedData", "iv")
        ),
    }

    raw_data = fields.String(
        data_key="rawData",
        validate=[validate.Length(1, 8192), is_encodable],
        metadata=about("`rawData` of `wx.getUserInfo`, unchanged.", examples.RAW_DATA),
    )
    signature = Text(
        40,
        shortest=40,
        metadata=about(
            "`signature` of `wx.getUserInfo`, 40 hexadecimal digits.", examples.SIGNATURE
        ),
    )
    encrypted_data = Text(
        8192,
        data_key="encryptedData",
        metadata=about("`encryptedData` of `wx.getUserInfo`, unchanged.", examples.ENCRYPTED_DATA),
    )
    iv = Text(64, metadata=about("`iv` of `wx.getUserInfo`, unchanged.", examples.IV))
    nickname = Name(
        metadata=about("Nickname that the person entered, up to 64 characters.", examples.NICKNAME)
    )
    avatar_url = AvatarUrl(
        metadata=about(
            "https URL of a picture that you store. A temporary file path of WeChat is rejected.",
            examples.AVATAR_URL,
        )
    )

    @validates_schema
    def is_open_or_typed(self, data: dict[str, Any], **_: Any) -> None:
        """Raise ValidationError unless all open data fields, or a typed nickname, are sent."""
        is_typed = "nickname" in data and set(data) <= TYPED
        if set(data) != OPEN_DATA and not is_typed:
            message = "Send rawData, signature, encryptedData and iv, or nickname and avatar_url."
            raise ValidationError(message, "nickname")


@dataclass(frozen=True, slots=True)
class ProfileChangeBody:
    """New profile values. None leaves a value unchanged."""

    nickname: str | None = None
    avatar_url: str | None = None
    gender: int | None = None


class ProfileChangeRequest(RequestSchema[ProfileChangeBody]):
    """The profile fields that the logged-in user may change."""

    record = ProfileChangeBody
    example_fields: ClassVar = ("nickname",)

    nickname = Name(metadata=about("New nickname, up to 64 characters.", examples.NICKNAME))
    avatar_url = AvatarUrl(metadata=about("https URL of the new avatar.", examples.AVATAR_URL))
    gender = fields.Integer(
        strict=True,
        validate=validate.OneOf([0, 1, 2]),
        metadata=about("0 is unknown, 1 male, 2 female.", 0),
    )

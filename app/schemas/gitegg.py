"""Schemas of the GitEgg dialect. Unknown request fields are ignored."""

from dataclasses import dataclass, field
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.clock import now
from app.schemas.fields import Account, Text, is_encodable
from app.schemas.tolerant_requests import EncryptedBody, EncryptedFields, TolerantRequest
from app.schemas.user_import import DomesticPhone


@dataclass(frozen=True, slots=True)
class SocialKeyBody:
    """A bindKey: the unbound token of a login."""

    social_key: str = field(repr=False)


class SocialKeyRequest(TolerantRequest[SocialKeyBody]):
    """The bindKey of a login, sent as `socialKey`."""

    record = SocialKeyBody

    social_key = Text(128, required=True, data_key="socialKey")


@dataclass(frozen=True, slots=True)
class UserInfoBody(EncryptedBody):
    """User info from WeChat: plain text with signature, and encrypted data."""

    raw_data: str = field(repr=False)
    signature: str = field(repr=False)


class UserInfoRequest(EncryptedFields[UserInfoBody]):
    """User info from WeChat: plain text with signature, and encrypted data, all required."""

    record = UserInfoBody

    raw_data = fields.String(
        required=True, data_key="rawData", validate=[validate.Length(1, 8192), is_encodable]
    )
    signature = Text(64, required=True)


GRANTS = {
    "social": {"social_key"},
    "refresh_token": {"refresh_token"},
    "password": {"username", "password"},
}


@dataclass(frozen=True, slots=True)
class TokenBody:
    """Fields of a token request. Fields of other grant types are empty."""

    grant_type: str
    social_key: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    appid: str | None = None


class TokenRequest(TolerantRequest[TokenBody]):
    """A token request with one of three grant types and its required fields."""

    record = TokenBody

    grant_type = fields.String(required=True, validate=validate.OneOf(list(GRANTS)))
    social_key = Text(128)
    refresh_token = Text(128)
    username = Account()
    password = Text(128, load_only=True)
    appid = Text(64)

    @validates_schema
    def has_the_fields_of_its_grant(self, data: dict[str, Any], **_: Any) -> None:
        """Raise ValidationError if a required field of the grant type is missing."""
        missing = GRANTS[data["grant_type"]] - set(data)
        if missing:
            raise ValidationError({name: ["Missing data for this grant."] for name in missing})


@dataclass(frozen=True, slots=True)
class LogoutBody:
    """The refresh token of the session to end, or None."""

    refresh_token: str | None = field(default=None, repr=False)


class LogoutRequest(TolerantRequest[LogoutBody]):
    """The refresh token of the session to end, needed if the login token has expired."""

    record = LogoutBody

    refresh_token = Text(128, data_key="refreshToken")


class BindKeyResponse(Schema):
    """The WeChat identity, its bindKey, and which login steps are already done."""

    openid = fields.String()
    unionid = fields.String(allow_none=True)
    bindKey = fields.String(attribute="tokens.token")
    userInfoAlready = fields.Function(
        lambda login: login.is_linked or login.account_profile.nickname is not None
    )
    userBindAlready = fields.Boolean(attribute="is_linked")


class UserInfoResponse(Schema):
    """The decrypted user info."""

    openId = fields.String(attribute="openid", allow_none=True)
    unionId = fields.String(attribute="union_id", allow_none=True)
    nickName = fields.String(attribute="nickname")
    avatarUrl = fields.String(attribute="avatar_url")
    gender = fields.Integer()
    language = fields.String()
    city = fields.String()
    province = fields.String()
    country = fields.String()


class UserResponse(Schema):
    """A user, as shown to that user."""

    id = fields.UUID()
    account = fields.String(allow_none=True)
    nickname = fields.String(allow_none=True)
    avatar = fields.String(attribute="avatar_url", allow_none=True)
    mobile = DomesticPhone(attribute="phone", allow_none=True)
    gender = fields.Integer()
    level = fields.Integer()
    tenantId = fields.UUID(attribute="tenant_id")


class TokenResponse(Schema):
    """Login token and refresh token. Lifetimes are in seconds, end times in Unix seconds."""

    token = fields.String()
    expiresIn = fields.Integer(attribute="expires_in")
    exp = fields.Function(lambda tokens: in_seconds(tokens.expires_in))
    refreshToken = fields.String(attribute="refresh_token")
    refreshExpiresIn = fields.Integer(attribute="refresh_expires_in")
    refreshExp = fields.Function(lambda tokens: in_seconds(tokens.refresh_expires_in))
    tokenHead = fields.Constant("Bearer ")


def in_seconds(lifetime: int) -> int:
    """Return the time `lifetime` seconds from now, in Unix seconds."""
    return int(now().timestamp()) + lifetime

"""Wire format of the GitEgg dialect. Unknown fields are ignored."""

from dataclasses import dataclass, field
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.clock import now
from app.schemas.fields import Account, Text, is_encodable
from app.schemas.tolerant_requests import EncryptedBody, EncryptedFields, TolerantRequest
from app.schemas.user_import import DomesticPhone


@dataclass(frozen=True, slots=True)
class SocialKeyBody:
    """A bindKey."""

    social_key: str = field(repr=False)


class SocialKeyRequest(TolerantRequest[SocialKeyBody]):
    """The bindKey of a login."""

    record = SocialKeyBody

    social_key = Text(128, required=True, data_key="socialKey")


@dataclass(frozen=True, slots=True)
class UserInfoBody(EncryptedBody):
    """The user info, in the clear with its signature, and encrypted."""

    raw_data: str = field(repr=False)
    signature: str = field(repr=False)


class UserInfoRequest(EncryptedFields[UserInfoBody]):
    """The data of the user-info button."""

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
    """A grant. The fields of the other grants may be empty."""

    grant_type: str
    social_key: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    appid: str | None = None


class TokenRequest(TolerantRequest[TokenBody]):
    """One of three grants, with its fields."""

    record = TokenBody

    grant_type = fields.String(required=True, validate=validate.OneOf(list(GRANTS)))
    social_key = Text(128)
    refresh_token = Text(128)
    username = Account()
    password = Text(128, load_only=True)
    appid = Text(64)

    @validates_schema
    def has_what_its_grant_needs(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse a grant without its fields."""
        missing = GRANTS[data["grant_type"]] - set(data)
        if missing:
            raise ValidationError({name: ["Missing data for this grant."] for name in missing})


@dataclass(frozen=True, slots=True)
class LogoutBody:
    """A refresh token, or None."""

    refresh_token: str | None = field(default=None, repr=False)


class LogoutRequest(TolerantRequest[LogoutBody]):
    """The refresh token, for a login token that has expired already."""

    record = LogoutBody

    refresh_token = Text(128, data_key="refreshToken")


class BindKeyResponse(Schema):
    """The identified person, and the steps that are left. A bound person has none."""

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
    """Tokens. Lifetimes are in seconds, times in Unix seconds."""

    token = fields.String()
    expiresIn = fields.Integer(attribute="expires_in")
    exp = fields.Function(lambda tokens: in_seconds(tokens.expires_in))
    refreshToken = fields.String(attribute="refresh_token")
    refreshExpiresIn = fields.Integer(attribute="refresh_expires_in")
    refreshExp = fields.Function(lambda tokens: in_seconds(tokens.refresh_expires_in))
    tokenHead = fields.Constant("Bearer ")


def in_seconds(lifetime: int) -> int:
    """Return the end of a lifetime that begins now, in Unix seconds."""
    return int(now().timestamp()) + lifetime

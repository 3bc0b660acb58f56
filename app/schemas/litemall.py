"""Schemas of the litemall dialect. Unknown request fields are ignored."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from flask_babel import gettext
from marshmallow import Schema, fields, validate

from app.schemas.fields import Account, AvatarUrl, Name, Text
from app.schemas.requests import CredentialsBody, ProfileChangeBody
from app.schemas.tolerant_requests import IfUsable, TolerantRequest, VisibleName
from app.schemas.user_import import DomesticPhone, PersonResponse, without_china_code

CHINA_TIME = timezone(timedelta(hours=8))
STATUSES = {"active": 0, "disabled": 1, "merged": 2}


@dataclass(frozen=True, slots=True)
class ClaimedBody:
    """The unverified profile that the client sent. An invalid value is replaced by an empty one."""

    nickname: str = ""
    avatar_url: str = ""


class ClaimedRequest(TolerantRequest[ClaimedBody]):
    """The unverified profile that the client sent. Invalid values are ignored."""

    record = ClaimedBody

    nickname = IfUsable(Name(), data_key="nickName")
    avatar_url = IfUsable(AvatarUrl(), data_key="avatarUrl")


@dataclass(frozen=True, slots=True)
class WeixinBody:
    """The `wx.login` code, and the unverified profile that the client sent."""

    code: str = field(repr=False)
    user_info: ClaimedBody


class WeixinRequest(TolerantRequest[WeixinBody]):
    """The `wx.login` code, and the unverified profile that the client sent."""

    record = WeixinBody

    code = Text(128, required=True)
    user_info = fields.Nested(ClaimedRequest, required=True, data_key="userInfo")


class PasswordRequest(TolerantRequest[CredentialsBody]):
    """A user's account and password."""

    record = CredentialsBody

    account = Account(required=True, data_key="username")
    password = Text(128, required=True, load_only=True)


class ProfileRequest(TolerantRequest[ProfileChangeBody]):
    """The profile fields that a user may change."""

    record = ProfileChangeBody

    nickname = VisibleName()
    avatar_url = AvatarUrl(data_key="avatar")
    gender = fields.Integer(validate=validate.OneOf([0, 1, 2]))


class UserInfoResponse(PersonResponse):
    """A user in litemall's format. Missing values have defaults, because a login may be unbound."""

    userId = fields.UUID(attribute="id", dump_default=None)
    gender = fields.Integer(dump_default=0)
    phone = DomesticPhone(allow_none=True, dump_default=None)
    registerDate = fields.Function(lambda user: registered_on(getattr(user, "created_at", None)))
    status = fields.Function(lambda user: STATUSES[getattr(user, "status", "active")])
    userLevel = fields.Integer(attribute="level", dump_default=0)
    userLevelDesc = fields.Function(lambda user: level_name(getattr(user, "level", 0)))


class WhoAmIResponse(UserInfoResponse):
    """A user, with the additional field names of litemall's auth/info."""

    avatar = fields.Function(lambda user: user.avatar_url)
    mobile = fields.Function(lambda user: without_china_code(user.phone))


class LoginResponse(Schema):
    """Login token, its lifetime in seconds, and the user."""

    token = fields.String(attribute="tokens.token")
    tokenExpire = fields.Integer(attribute="tokens.expires_in")
    userInfo = fields.Nested(UserInfoResponse, attribute="person")


class PhoneResponse(Schema):
    """The bound phone number, and the login token, which stays the same."""

    phone = DomesticPhone(attribute="user.phone")
    token = fields.String(attribute="tokens.token")


def registered_on(moment: datetime | None) -> str | None:
    """Return the date in China time as YYYY-MM-DD, or None."""
    return None if moment is None else moment.astimezone(CHINA_TIME).date().isoformat()


def level_name(level: int) -> Any:
    """Return litemall's translated name of a user level. Levels above 2 count as 2."""
    names = (gettext("Ordinary user"), gettext("VIP user"), gettext("Senior VIP user"))
    return names[min(max(level, 0), 2)]

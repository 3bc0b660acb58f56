"""Records of WeChat's responses: validated, frozen, with secrets hidden from repr."""

from dataclasses import dataclass, field

from app.wechat.damaged_text import without_controls
from app.wechat.errors import (
    ForeignWatermark,
    PhoneCountryMissing,
    PhoneNumberMissing,
    WeChatError,
)
from app.wechat.json_fields import (
    JsonObject,
    WrongShape,
    base64_of,
    integer_field,
    number_field,
    object_field,
    optional_token_field,
    text_field,
    token_field,
)

SESSION_KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class WeChatIdentity:
    """Who is logging in: a person (openid) in one app.

    `unionid` comes only from apps bound to an Open Platform account (UnionID 机制说明). The
    session_key must never reach a client (小程序登录).
    """

    openid: str
    session_key: str = field(repr=False)
    unionid: str | None


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A key to WeChat's server APIs for one app; `expires_in` counts seconds from the answer."""

    value: str = field(repr=False)
    expires_in: int


@dataclass(frozen=True, slots=True)
class PhoneInfo:
    """A verified phone; `watermark_time` is when the person agreed, in unix seconds.

    `phone_number` holds the area code for numbers abroad, `pure_phone_number` never does, and
    `country_code` is digits without `+` (获取手机号).
    """

    phone_number: str = field(repr=False)
    pure_phone_number: str = field(repr=False)
    country_code: str
    watermark_time: int


@dataclass(frozen=True, slots=True)
class UserInfo:
    """A person's profile. Missing texts are empty, a missing gender is 0 (unknown).

    `openid` and `union_id` are only in encrypted data, and not in all of it; where present, the
    caller compares openid with the login's.
    """

    nickname: str
    avatar_url: str
    gender: int
    language: str
    city: str
    province: str
    country: str
    openid: str | None
    union_id: str | None


def read_identity(answer: JsonObject) -> WeChatIdentity:
    """Read code2Session's answer; raises WrongShape."""
    session_key = token_field(answer, "session_key")
    base64_of(session_key, SESSION_KEY_BYTES)
    return WeChatIdentity(
        openid=token_field(answer, "openid"),
        session_key=session_key,
        unionid=optional_token_field(answer, "unionid"),
    )


def read_access_token(answer: JsonObject) -> AccessToken:
    """Read an access token's answer; raises WrongShape."""
    expires_in = integer_field(answer, "expires_in")
    if expires_in <= 0:
        raise WrongShape("expires_in")
    return AccessToken(value=token_field(answer, "access_token"), expires_in=expires_in)


def read_watermark(data: JsonObject, appid: str) -> int:
    """Return when the data was made, in unix seconds, if it was made for this app.

    Raises ForeignWatermark when it was not or does not say, WrongShape without a time.
    """
    watermark = data.get("watermark")
    if not isinstance(watermark, dict) or watermark.get("appid") != appid:
        raise ForeignWatermark
    return integer_field(object_field(data, "watermark"), "timestamp")


def read_phone(data: JsonObject, watermark_time: int) -> PhoneInfo:
    """Read a phone from an answer or from open data.

    Control characters in a number are dropped. Raises PhoneNumberMissing, PhoneCountryMissing for
    a code that is no number either, or WrongShape for other defects.
    """
    _require(data, "phoneNumber", PhoneNumberMissing)
    _require(data, "purePhoneNumber", PhoneNumberMissing)
    _require(data, "countryCode", PhoneCountryMissing)
    return PhoneInfo(
        phone_number=number_field(data, "phoneNumber"),
        pure_phone_number=number_field(data, "purePhoneNumber"),
        country_code=_country_code(data),
        watermark_time=watermark_time,
    )


def read_user_info(data: JsonObject) -> UserInfo:
    """Read a profile from rawData or from open data; raises WrongShape without a nickname."""
    return UserInfo(
        nickname=text_field(data, "nickName"),
        avatar_url=text_field(data, "avatarUrl", default=""),
        gender=_gender(data),
        language=text_field(data, "language", default=""),
        city=text_field(data, "city", default=""),
        province=text_field(data, "province", default=""),
        country=text_field(data, "country", default=""),
        openid=optional_token_field(data, "openId"),
        union_id=optional_token_field(data, "unionId"),
    )


def _require(data: JsonObject, name: str, missing: type[WeChatError]) -> None:
    value = data.get(name)
    if value is None or (isinstance(value, str) and not without_controls(value).strip()):
        raise missing(reason=f"{name} is empty or missing")


def _country_code(data: JsonObject) -> str:
    # A string on today's page of 获取手机号, a number in its older examples: both arrive.
    value = data.get("countryCode")
    code = without_controls(value if isinstance(value, str) else repr(value)).strip()
    digits = code.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        raise PhoneCountryMissing(reason="countryCode is not a number")
    return digits


def _gender(data: JsonObject) -> int:
    gender = integer_field(data, "gender") if "gender" in data else 0
    return gender if gender in (1, 2) else 0

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
    """The WeChat identity of a person in one app, and the session_key of this login.

    WeChat returns `unionid` only for apps bound to an Open Platform account (UnionID 机制说明). The
    session_key must never reach a client (小程序登录).
    """

    openid: str
    session_key: str = field(repr=False)
    unionid: str | None


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token for WeChat's server APIs, valid for `expires_in` seconds."""

    value: str = field(repr=False)
    expires_in: int


@dataclass(frozen=True, slots=True)
class PhoneInfo:
    """A phone number verified by WeChat (获取手机号).

    `phone_number` of a foreign number includes the country code, `pure_phone_number` never does.
    `country_code` has digits only. `watermark_time` is when the person agreed, in unix seconds.
    """

    phone_number: str = field(repr=False)
    pure_phone_number: str = field(repr=False)
    country_code: str
    watermark_time: int


@dataclass(frozen=True, slots=True)
class UserInfo:
    """A WeChat profile. Missing texts are empty. A missing gender is 0 (unknown).

    Only some encrypted profiles include `openid` and `union_id`. The caller must compare `openid`
    with the openid of the session.
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
    """Parse the response of code2Session. Raise WrongShape if a field is missing or invalid."""
    session_key = token_field(answer, "session_key")
    base64_of(session_key, SESSION_KEY_BYTES)
    return WeChatIdentity(
        openid=token_field(answer, "openid"),
        session_key=session_key,
        unionid=optional_token_field(answer, "unionid"),
    )


def read_access_token(answer: JsonObject) -> AccessToken:
    """Parse the response of getStableAccessToken.

    Raises WrongShape if a field is missing or invalid.
    """
    expires_in = integer_field(answer, "expires_in")
    if expires_in <= 0:
        raise WrongShape("expires_in")
    return AccessToken(value=token_field(answer, "access_token"), expires_in=expires_in)


def read_watermark(data: JsonObject, appid: str) -> int:
    """Return the timestamp of the watermark in unix seconds.

    Raises ForeignWatermark if the watermark's appid is missing or is not `appid`, and WrongShape
    if the timestamp is missing or not an integer.
    """
    watermark = data.get("watermark")
    if not isinstance(watermark, dict) or watermark.get("appid") != appid:
        raise ForeignWatermark
    return integer_field(object_field(data, "watermark"), "timestamp")


def read_phone(data: JsonObject, watermark_time: int) -> PhoneInfo:
    """Parse a phone number from a response or from open data.

    Control characters are removed. Raises PhoneNumberMissing, PhoneCountryMissing if the country
    code is missing or not a number, or WrongShape for other defects.
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
    """Parse a profile from rawData or open data.

    Raises WrongShape if the nickname is missing or a field is invalid.
    """
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
    # A string on the current page of 获取手机号, a number in older examples. WeChat sends both.
    value = data.get("countryCode")
    code = without_controls(value if isinstance(value, str) else repr(value)).strip()
    digits = code.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        raise PhoneCountryMissing(reason="countryCode is not a number")
    return digits


def _gender(data: JsonObject) -> int:
    gender = integer_field(data, "gender") if "gender" in data else 0
    return gender if gender in (1, 2) else 0

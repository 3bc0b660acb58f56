"""Profiles and phone numbers that a person shares with the mini-program."""

from dataclasses import dataclass, field, replace

import structlog

from app.clock import now
from app.errors import OpenDataOfAnother
from app.models import Measure
from app.services.apps.apps import AppConfig
from app.services.apps.wechat_calls import client, with_access_token
from app.services.database.transactions import transaction
from app.services.metrics.counts import count
from app.services.principals import Principal
from app.services.social_accounts.accounts import get_openid
from app.services.social_accounts.profiles import (
    MAX_PROFILE_LENGTH,
    PLACEHOLDER_NICKNAME,
    AccountProfile,
    keep_typed_profile,
    presentable,
    read_profile,
    write_profile,
)
from app.services.social_accounts.session_keys import with_session_keys
from app.services.users.phone_numbers import PhoneNumber, find_refusal, number_from_wechat
from app.text_cleaning import clean_name
from app.wechat import (
    PhoneInfo,
    SignatureMismatch,
    UserInfo,
    decrypt_phone,
    decrypt_user_info,
    raw_user_info,
    verify_signature,
)

log = structlog.get_logger()

# Open data is sent right after the tap. The limit allows for slow networks and clock differences.
MAX_AGE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class ProfileInput:
    """A profile from a client: signed open data, or a typed nickname and avatar.

    The fields that do not apply are empty.
    """

    raw_data: str = field(default="", repr=False)
    signature: str = field(default="", repr=False)
    encrypted_data: str = field(default="", repr=False)
    iv: str = field(default="", repr=False)
    nickname: str = ""
    avatar_url: str = ""


@dataclass(frozen=True, slots=True)
class PhoneProof:
    """The data of the phone button: a phone code (new API), or encrypted data and iv (old API).

    The fields of the other API are empty.
    """

    code: str = field(default="", repr=False)
    encrypted_data: str = field(default="", repr=False)
    iv: str = field(default="", repr=False)


def keep_profile(app: AppConfig, principal: Principal, given: ProfileInput) -> AccountProfile:
    """Store a profile from signed open data or from typed values, and return the stored profile.

    Raises the exceptions of `keep_open_profile`.
    """
    if not given.raw_data:
        return keep_typed_profile(principal, nickname=given.nickname, avatar_url=given.avatar_url)
    keep_open_profile(
        app,
        principal,
        raw_data=given.raw_data,
        signature=given.signature,
        encrypted_data=given.encrypted_data,
        iv=given.iv,
    )
    with transaction() as db:
        return read_profile(db, principal)


def keep_open_profile(
    app: AppConfig,
    principal: Principal,
    *,
    raw_data: str,
    signature: str,
    encrypted_data: str,
    iv: str,
) -> UserInfo:
    """Decrypt and verify the data of the user-info button. Store nickname, avatar and gender.

    Returns the cleaned data. A placeholder nickname is not stored. The data is decrypted before the
    signature is checked, to distinguish a stale session_key from a wrong signature. Raises
    NoSocialAccount, OpenDataOfAnother, or an OpenDataError, and then stores nothing.
    """
    moment = int(now().timestamp())

    def read(key: str) -> UserInfo:
        info = decrypt_user_info(encrypted_data, iv, key, app.appid, moment, MAX_AGE_SECONDS)
        verify_signature(raw_data, signature, key)
        return info

    account, info = with_session_keys(principal, read)
    if info.openid not in (None, account.openid):
        raise OpenDataOfAnother
    if raw_user_info(raw_data).nickname != info.nickname:
        raise SignatureMismatch  # signature of other data, and CBC is unauthenticated
    nickname = clean_name(info.nickname)[:MAX_PROFILE_LENGTH]
    shown = replace(info, nickname=nickname, avatar_url=presentable(info.avatar_url))
    if shown.nickname != PLACEHOLDER_NICKNAME:
        values = shown.nickname, shown.avatar_url, shown.gender
        with transaction() as db:
            write_profile(db, principal, account.user_id, *values)
    return shown


def verified_phone(app: AppConfig, principal: Principal, proof: PhoneProof) -> PhoneNumber:
    """Return the person's phone number as WeChat verified it.

    Raises WeChatError, an OpenDataError, NoSocialAccount or PhoneInvalid.
    """
    if proof.code:
        number = phone_of_code(app, principal, proof.code)
    else:
        number = phone_of_data(app, principal, proof.encrypted_data, proof.iv)
    count(app.appid, Measure.PHONE_VERIFIED)
    return number


def phone_of_code(app: AppConfig, principal: Principal, code: str) -> PhoneNumber:
    """Exchange a phone code with WeChat for the phone number (new API).

    The openid is sent with the code, so that WeChat refuses another person's code. A login without
    a WeChat identity has no openid and is refused. Raises NoSocialAccount or WeChatError.
    """
    openid = get_openid(principal)

    def call(access_token: str) -> PhoneInfo:
        return client().phone_number(app.appid, access_token, code, openid)

    return _number(with_access_token(app, call))


def phone_of_data(
    app: AppConfig, principal: Principal, encrypted_data: str, iv: str
) -> PhoneNumber:
    """Decrypt the phone number of the phone button (old API).

    Raises NoSocialAccount, PhoneInvalid or an OpenDataError.
    """
    moment = int(now().timestamp())

    def read(key: str) -> PhoneInfo:
        return decrypt_phone(encrypted_data, iv, key, app.appid, moment, MAX_AGE_SECONDS)

    return _number(with_session_keys(principal, read)[1])


def _number(info: PhoneInfo) -> PhoneNumber:
    """Return WeChat's number in E.164. Log a warning if a typed number would be refused."""
    number = number_from_wechat(info.pure_phone_number, info.country_code)
    refusal = find_refusal(number)
    if refusal is not None:
        log.warning("wechat_phone_unusual", reason=refusal.code)
    return number

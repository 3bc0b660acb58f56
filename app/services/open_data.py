"""Open data: what the person allows the mini-program to know, verified or typed."""

from dataclasses import replace

import structlog

from app.clock import now
from app.errors import OpenDataOfAnother
from app.models import Measure
from app.services.apps import AppConfig
from app.services.callers import Caller
from app.services.counts import count
from app.services.phone_numbers import PhoneNumber, find_refusal, number_from_wechat
from app.services.profiles import (
    LONGEST_KEPT,
    NOBODYS_NICKNAME,
    KeptProfile,
    keep_typed_profile,
    presentable,
    read_profile,
    write_profile,
)
from app.services.session_keys import with_session_keys
from app.services.social_accounts import get_social_account
from app.services.transactions import transaction
from app.services.wechat_calls import client, with_access_token
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

# A tap is sent at once; the rest is room for slow networks and for clocks.
MAX_AGE_SECONDS = 600


def keep_profile(app: AppConfig, caller: Caller, **said: str) -> KeptProfile:
    """Keep a profile: open data that WeChat vouches for, or what the person typed and chose.

    Raises what `keep_open_profile` raises.
    """
    if "raw_data" not in said:
        return keep_typed_profile(caller, **said)
    keep_open_profile(app, caller, **said)
    with transaction() as db:
        return read_profile(db, caller)


def keep_open_profile(
    app: AppConfig, caller: Caller, *, raw_data: str, signature: str, encrypted_data: str, iv: str
) -> UserInfo:
    """Decrypt and verify what the user-info button gave; keep nickname, avatar and gender.

    Gives it as kept. Decrypts first: a stale session_key is then told from a wrong signature.
    Raises NoSocialAccount, OpenDataOfAnother, or an OpenDataError; then nothing is kept.
    """
    moment = int(now().timestamp())

    def read(key: str) -> UserInfo:
        told = decrypt_user_info(encrypted_data, iv, key, app.appid, moment, MAX_AGE_SECONDS)
        verify_signature(raw_data, signature, key)
        return told

    account, info = with_session_keys(caller, read)
    if info.openid not in (None, account.openid):
        raise OpenDataOfAnother
    if raw_user_info(raw_data).nickname != info.nickname:
        raise SignatureMismatch  # a signature of other data; CBC by itself proves nothing
    nickname = clean_name(info.nickname)[:LONGEST_KEPT]
    shown = replace(info, nickname=nickname, avatar_url=presentable(info.avatar_url))
    if shown.nickname != NOBODYS_NICKNAME:
        told_now = shown.nickname, shown.avatar_url, shown.gender
        with transaction() as db:
            write_profile(db, caller, account.user_id, *told_now)
    return shown


def verified_phone(app: AppConfig, caller: Caller, **proof: str) -> PhoneNumber:
    """Learn the person's number from WeChat, by a phone code or from encrypted data.

    Raises WeChatError, an OpenDataError, NoSocialAccount or PhoneInvalid.
    """
    of_proof = phone_of_code if "code" in proof else phone_of_data
    number = of_proof(app, caller, **proof)
    count(app.appid, Measure.PHONE_VERIFIED)
    return number


def phone_of_code(app: AppConfig, caller: Caller, code: str) -> PhoneNumber:
    """Ask WeChat whose number a phone code stands for (the new way).

    The openid goes with it, so that WeChat refuses another person's code; a login without a
    WeChat identity has none, and could claim anybody's. Raises NoSocialAccount or WeChatError.
    """
    openid = get_social_account(caller).openid

    def call(access_token: str) -> PhoneInfo:
        return client().phone_number(app.appid, access_token, code, openid)

    return _number(with_access_token(app, call))


def phone_of_data(app: AppConfig, caller: Caller, encrypted_data: str, iv: str) -> PhoneNumber:
    """Decrypt the number of a phone button (the old way); raise an OpenDataError."""
    moment = int(now().timestamp())

    def read(key: str) -> PhoneInfo:
        return decrypt_phone(encrypted_data, iv, key, app.appid, moment, MAX_AGE_SECONDS)

    return _number(with_session_keys(caller, read)[1])


def _number(info: PhoneInfo) -> PhoneNumber:
    """Return the number as it is kept. Log why it would not be accepted if a person typed it."""
    number = number_from_wechat(info.pure_phone_number, info.country_code)
    refusal = find_refusal(number)
    if refusal is not None:
        log.warning("wechat_phone_unusual", reason=refusal.code)
    return number

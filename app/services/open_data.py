"""Open data: what the person allows the mini-program to know, verified or typed."""

from dataclasses import dataclass, replace
from unicodedata import category
from uuid import UUID

from sqlalchemy import select, update

from app.clock import now
from app.errors import OpenDataOfAnother
from app.models import SocialAccount, User
from app.services.apps import AppConfig
from app.services.phone_numbers import PhoneNumber, phone_number
from app.services.session_keys import with_session_keys
from app.services.sessions import Caller
from app.services.social_accounts import get_social_account
from app.services.transactions import transaction
from app.services.wechat_calls import client, with_access_token
from app.wechat import (
    PhoneInfo,
    SignatureMismatch,
    UserInfo,
    decrypt_phone,
    decrypt_user_info,
    raw_user_info,
    verify_signature,
)

# A tap is sent at once; the rest is room for slow networks and for clocks.
MAX_AGE_SECONDS = 600
LONGEST_KEPT = 512

# What base library 2.27.1 and newer give instead of the real one; with it comes a grey avatar.
NOBODYS_NICKNAME = "微信用户"
UNPRESENTABLE = {"Cc", "Cs", "Zl", "Zp"}


@dataclass(frozen=True, slots=True)
class KeptProfile:
    """The nickname and avatar that are kept now."""

    nickname: str | None
    avatar_url: str | None


def keep_profile(app: AppConfig, caller: Caller, **said: str) -> KeptProfile:
    """Keep a profile: open data that WeChat vouches for, or what the person typed and chose.

    Raises what `keep_open_profile` raises.
    """
    if "raw_data" not in said:
        return keep_typed_profile(caller, **said)
    keep_open_profile(app, caller, **said)
    return _kept(caller)


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
    shown = replace(
        info, nickname=_presentable(info.nickname), avatar_url=_presentable(info.avatar_url)
    )
    if shown.nickname != NOBODYS_NICKNAME:
        _keep(caller, account.user_id, shown.nickname, shown.avatar_url, shown.gender)
    return shown


def keep_typed_profile(caller: Caller, *, nickname: str, avatar_url: str = "") -> KeptProfile:
    """Keep the nickname and avatar that the person typed and chose; nobody vouches for them."""
    _keep(caller, caller.user_id, nickname, avatar_url)
    return _kept(caller)


def _presentable(text: str) -> str:
    """Drop what cannot be kept or shown; WeChat does not promise there is none of it."""
    return "".join(char for char in text if category(char) not in UNPRESENTABLE)[:LONGEST_KEPT]


def _keep(
    caller: Caller, user_id: UUID | None, nickname: str, avatar_url: str, gender: int = 0
) -> None:
    """Write to the social account and its user, whichever there are; never nothing over a text."""
    account = (
        SocialAccount.tenant_id == caller.tenant_id,
        SocialAccount.id == caller.social_account_id,
    )
    user = (User.tenant_id == caller.tenant_id, User.id == user_id)
    texts = {"nickname": nickname.strip(), "avatar_url": avatar_url}
    said: dict[str, str | int] = {name: text for name, text in texts.items() if text}
    with transaction() as db:
        if said:
            db.execute(update(SocialAccount).where(*account).values(said))
            db.execute(
                update(User).where(*user).values(said | ({"gender": gender} if gender else {}))
            )


def _kept(caller: Caller) -> KeptProfile:
    account = select(SocialAccount.nickname, SocialAccount.avatar_url).where(
        SocialAccount.tenant_id == caller.tenant_id, SocialAccount.id == caller.social_account_id
    )
    user = select(User.nickname, User.avatar_url).where(
        User.tenant_id == caller.tenant_id, User.id == caller.user_id
    )
    with transaction() as db:
        return KeptProfile(*db.execute(account if caller.social_account_id else user).one())


def verified_phone(app: AppConfig, caller: Caller, **proof: str) -> PhoneNumber:
    """Learn the person's number from WeChat, by a phone code or from encrypted data.

    Raises WeChatError, an OpenDataError, NoSocialAccount or PhoneInvalid.
    """
    if "code" in proof:
        return phone_of_code(app, caller, **proof)
    return phone_of_data(app, caller, **proof)


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
    return phone_number(info.pure_phone_number, info.country_code)

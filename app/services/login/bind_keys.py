"""Bind keys: the tokens of unbound sessions that existing clients pass about, and trade."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import LoginUnbound, OpenDataOfAnother, TokenInvalid
from app.models import LoginSession, Measure, SocialAccount
from app.services.apps.apps import AppConfig
from app.services.apps.wechat_calls import code_to_session
from app.services.database.transactions import retry_on_conflict, transaction
from app.services.login.code_exchange import Ask, exchange_once, get_opened
from app.services.login.login import Login, login_of, note_login, refuse_inactive_owner
from app.services.metrics.counts import count_if_committed
from app.services.principals import Device, Principal
from app.services.sessions.sessions import (
    Opening,
    Tokens,
    open_session,
    reissue,
)
from app.services.social_accounts.account_linking import RequestContext, link_at_login
from app.services.social_accounts.accounts import lock_social_account
from app.services.social_accounts.session_keys import Met, meet
from app.services.users.phone_numbers import PhoneNumber, number_index
from app.services.users.users import get_profile


@dataclass(frozen=True, slots=True)
class BindKey:
    """The token of an unbound session, and what is known of its WeChat identity."""

    token: str = field(repr=False)
    openid: str
    unionid: str | None
    has_profile: bool
    bound: bool


def open_bind_key(app: AppConfig, device: Device, code: str) -> BindKey:
    """Identify a person by code and open an unbound session, whose token is traded later."""
    ask = Ask(app, device, code, "bind_key")

    def first(opening: Opening, asked_at: datetime) -> BindKey:
        identity = code_to_session(app, code)
        return _identify(ask, opening, Met(identity, asked_at))

    return exchange_once(ask, first, lambda opening: _identified(app, opening))


@retry_on_conflict
def _identify(ask: Ask, opening: Opening, met: Met) -> BindKey:
    with transaction() as db:
        account, unionid_is_news = meet(db, ask.app, met)
        if account.user_id is not None:
            count_if_committed(db, ask.app.appid, Measure.KNOWN)
        context = RequestContext(ask.app, ask.device)
        link_at_login(db, context, account, unionid_is_news=unionid_is_news)
        refuse_inactive_owner(db, account)
        tokens = open_session(
            db,
            ask.app,
            ask.device,
            social_account_id=account.id,
            user_id=None,
            opening=opening,
        )
        return _bind_key(tokens, account)


def _identified(app: AppConfig, opening: Opening) -> BindKey:
    with transaction() as db:
        return _bind_key(*get_opened(db, app, opening))


def _bind_key(tokens: Tokens, account: SocialAccount) -> BindKey:
    return BindKey(
        tokens.token,
        account.openid,
        account.unionid,
        account.nickname is not None,
        account.user_id is not None,
    )


@retry_on_conflict
def trade_bind_key(principal: Principal, device: Device) -> Login:
    """Bind the session of a bind key to the user its WeChat identity belongs to; new tokens.

    Raises LoginUnbound while it belongs to nobody, and TokenInvalid for a bound session's
    token: a login is not traded for another.
    """
    with transaction() as db:
        return _trade(db, principal, device, lock_social_account(db, principal))


@retry_on_conflict
def trade_verified_bind_key(principal: Principal, device: Device, openid: str, phone: str) -> Login:
    """Do as `trade_bind_key` does for a client that says whom it shows.

    Raises OpenDataOfAnother too, unless the openid is the key's and the phone was verified under
    this very key.
    """
    with transaction() as db:
        account = lock_social_account(db, principal)
        if account.user_id is None:
            raise LoginUnbound
        if openid != account.openid or not _is_verified_here(db, principal, account, phone):
            raise OpenDataOfAnother
        return _trade(db, principal, device, account)


def _trade(db: Session, principal: Principal, device: Device, account: SocialAccount) -> Login:
    if principal.user_id is not None:
        raise TokenInvalid
    if account.user_id is None:
        raise LoginUnbound
    note_login(db, principal.tenant_id, account.user_id, device)
    return login_of(db, reissue(db, principal, account.user_id), account)


def _is_verified_here(
    db: Session, principal: Principal, account: SocialAccount, phone: str
) -> bool:
    """Compare a number, as a page spells it, with the user's and with the one verified here."""
    here = select(LoginSession.verified_number_index).where(
        LoginSession.tenant_id == principal.tenant_id, LoginSession.id == principal.session_id
    )
    user = get_profile(db, account.tenant_id, account.user_id) if account.user_id else None
    if user is None or user.phone is None or user.phone_country_code is None:
        return False
    number = PhoneNumber(user.phone, user.phone_country_code)
    is_it = db.scalar(here) == number_index(account.tenant_id, number)
    return is_it and phone in number.spellings

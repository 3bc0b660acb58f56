"""Bind keys: tokens of unbound sessions, which clients exchange for tokens of a bound session.

`log_in_unbound` in `login` opens these sessions.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import LoginUnbound, OpenDataOfAnother, TokenInvalid
from app.models import LoginSession, SocialAccount
from app.services.database.transactions import retry_on_conflict, transaction
from app.services.login.login import Login, describe_login, note_login
from app.services.metrics.logins import counted_as
from app.services.principals import Device, Principal
from app.services.sessions.sessions import (
    reissue,
)
from app.services.social_accounts.accounts import lock_social_account
from app.services.users.phone_numbers import PhoneNumber, number_index
from app.services.users.users import get_profile


@counted_as("bind_key")
@retry_on_conflict
def trade_bind_key(principal: Principal, device: Device) -> Login:
    """Bind the session of a bind key to the user of its WeChat identity and return new tokens.

    Raises LoginUnbound if the identity belongs to no user, and TokenInvalid if the session is
    already bound.
    """
    with transaction() as db:
        return _trade(db, principal, device, lock_social_account(db, principal))


@counted_as("bind_key")
@retry_on_conflict
def trade_verified_bind_key(principal: Principal, device: Device, openid: str, phone: str) -> Login:
    """Trade a bind key like `trade_bind_key`, after checking the openid and phone number.

    Raises OpenDataOfAnother if the openid is not that of the session's identity, or if the phone
    number is not the user's or was not verified in this session.
    """
    with transaction() as db:
        account = lock_social_account(db, principal)
        if account.user_id is None:
            raise LoginUnbound
        if openid != account.openid or not _was_verified_in_session(db, principal, account, phone):
            raise OpenDataOfAnother
        return _trade(db, principal, device, account)


def _trade(db: Session, principal: Principal, device: Device, account: SocialAccount) -> Login:
    if principal.user_id is not None:
        raise TokenInvalid
    if account.user_id is None:
        raise LoginUnbound
    note_login(db, principal.tenant_id, account.user_id, device)
    return describe_login(db, reissue(db, principal, account.user_id), account)


def _was_verified_in_session(
    db: Session, principal: Principal, account: SocialAccount, phone: str
) -> bool:
    """Return whether `phone` is the user's phone number and was verified in this session."""
    verified_index = select(LoginSession.verified_number_index).where(
        LoginSession.tenant_id == principal.tenant_id, LoginSession.id == principal.session_id
    )
    user = get_profile(db, account.tenant_id, account.user_id) if account.user_id else None
    if user is None or user.phone is None or user.phone_country_code is None:
        return False
    number = PhoneNumber(user.phone, user.phone_country_code)
    was_verified = db.scalar(verified_index) == number_index(account.tenant_id, number)
    return was_verified and phone in number.spellings

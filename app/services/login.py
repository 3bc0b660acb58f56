"""Logging a person in: by WeChat's code, by account and password, or by a bind key."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import LoginUnbound, TokenInvalid
from app.models import SocialAccount, User
from app.services.apps import AppConfig
from app.services.code_exchange import Ask, exchange_once, get_opened
from app.services.credentials import Proof, check_credentials, refuse_outdated
from app.services.owners import Visit, settle_at_login, settle_by_proof
from app.services.session_keys import Met, meet
from app.services.sessions import (
    Caller,
    Device,
    Opening,
    Tokens,
    open_session,
    reissue,
)
from app.services.social_accounts import lock_social_account
from app.services.transactions import decided_again_when_lost, transaction
from app.services.users import Profile, get_profile, get_user, refuse_inactive
from app.services.wechat_calls import code_to_session


@dataclass(frozen=True, slots=True)
class Login:
    """A login as its client needs it; `user` is None while it is unbound."""

    tokens: Tokens
    user: Profile | None
    openid: str | None = None
    unionid: str | None = None


@dataclass(frozen=True, slots=True)
class BindKey:
    """The token of an unbound session, and what is known of its WeChat identity."""

    token: str = field(repr=False)
    openid: str
    unionid: str | None
    has_profile: bool
    bound: bool


def log_in(
    app: AppConfig,
    device: Device,
    code: str,
    account: str | None = None,
    password: str | None = None,
) -> Login:
    """Log a person in with the code of wx.login; with account and password, bind them at once.

    The password is checked first, so that a wrong one does not use the code up. A code repeated
    by the same client gets the same login. Raises WeChatError, CodeUsed, CredentialsWrong,
    UserDisabled, or what `decide_binding` raises; then nothing is written but why the code failed.
    """
    proof = None
    if account is not None and password is not None:
        proof = check_credentials(app.tenant_id, account, password, device)
    ask = Ask(app, device, code, "login", proof)

    def first(opening: Opening, asked_at: datetime) -> Login:
        identity = code_to_session(app, code)
        return _enter(ask, opening, Met(identity, asked_at))

    return exchange_once(ask, first, lambda opening: _entered(app, opening))


@decided_again_when_lost
def _enter(ask: Ask, opening: Opening, met: Met) -> Login:
    visit = Visit(ask.app, ask.device)
    with transaction() as db:
        account = meet(db, ask.app, met)
        if ask.proof is not None:
            settle_by_proof(db, visit, account, ask.proof)
        settle_at_login(db, visit, account)
        if account.user_id is not None:
            note_login(db, ask.app.tenant_id, account.user_id, ask.device)
        tokens = open_session(
            db,
            ask.app,
            ask.device,
            social_account_id=account.id,
            user_id=account.user_id,
            opening=opening,
        )
        return login_of(db, tokens, account)


def _entered(app: AppConfig, opening: Opening) -> Login:
    with transaction() as db:
        tokens, account = get_opened(db, app, opening)
        _refuse_inactive_owner(db, account)
        return login_of(db, tokens, account)


def open_bind_key(app: AppConfig, device: Device, code: str) -> BindKey:
    """Identify a person by code and open an unbound session, whose token is traded later."""
    ask = Ask(app, device, code, "bind_key")

    def first(opening: Opening, asked_at: datetime) -> BindKey:
        identity = code_to_session(app, code)
        return _identify(ask, opening, Met(identity, asked_at))

    return exchange_once(ask, first, lambda opening: _identified(app, opening))


@decided_again_when_lost
def _identify(ask: Ask, opening: Opening, met: Met) -> BindKey:
    with transaction() as db:
        account = meet(db, ask.app, met)
        settle_at_login(db, Visit(ask.app, ask.device), account)
        _refuse_inactive_owner(db, account)
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


@decided_again_when_lost
def trade_bind_key(caller: Caller, device: Device) -> Login:
    """Bind the session of a bind key to the user its WeChat identity belongs to; new tokens.

    Raises LoginUnbound while it belongs to nobody, and TokenInvalid for a bound session's
    token: a login is not traded for another.
    """
    if caller.user_id is not None:
        raise TokenInvalid
    with transaction() as db:
        account = lock_social_account(db, caller)
        if account.user_id is None:
            raise LoginUnbound
        note_login(db, caller.tenant_id, account.user_id, device)
        return login_of(db, reissue(db, caller, account.user_id), account)


def log_in_with_password(app: AppConfig, device: Device, account: str, password: str) -> Login:
    """Log a user of the app's tenant in without a WeChat identity.

    Raises CredentialsWrong, TooManyTries or UserDisabled.
    """
    return _enter_as(app, device, check_credentials(app.tenant_id, account, password, device))


@decided_again_when_lost
def _enter_as(app: AppConfig, device: Device, proof: Proof) -> Login:
    user_id = proof.user_id
    with transaction() as db:
        refuse_outdated(note_login(db, app.tenant_id, user_id, device), proof)
        tokens = open_session(db, app, device, social_account_id=None, user_id=user_id)
        return Login(tokens, get_profile(db, app.tenant_id, user_id))


def _refuse_inactive_owner(db: Session, account: SocialAccount) -> None:
    if account.user_id is not None:
        refuse_inactive(get_user(db, account.tenant_id, account.user_id))


def note_login(db: Session, tenant_id: UUID, user_id: UUID, device: Device) -> User:
    """Keep when and from where a user last logged in; raise UserDisabled for a disabled one."""
    noting = update(User).where(User.tenant_id == tenant_id, User.id == user_id).returning(User)
    user = db.scalars(noting.values(last_login_at=now(), last_login_ip=device.ip)).one()
    refuse_inactive(user)
    return user


def login_of(db: Session, tokens: Tokens, account: SocialAccount) -> Login:
    """Describe a login that stands on a social account, bound as the account is."""
    user = get_profile(db, account.tenant_id, account.user_id) if account.user_id else None
    return Login(tokens, user, account.openid, account.unionid)

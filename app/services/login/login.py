"""Logging a person in: by WeChat's code, or by account and password."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import CredentialsWrong
from app.models import Measure, SocialAccount, User
from app.services.apps.apps import AppConfig
from app.services.apps.wechat_calls import code_to_session
from app.services.database.transactions import retry_on_conflict, transaction
from app.services.login.code_exchange import Ask, exchange_once, get_opened
from app.services.login.fast_path import try_fast_login
from app.services.metrics.counts import count_if_committed
from app.services.principals import Device
from app.services.sessions.sessions import (
    Opening,
    Tokens,
    open_session,
    tokens_of,
)
from app.services.social_accounts.account_linking import (
    RequestContext,
    link_at_login,
    link_by_password,
)
from app.services.social_accounts.profiles import KeptProfile, name_newcomer
from app.services.social_accounts.session_keys import Met, meet
from app.services.users.account_closure import reopen
from app.services.users.credentials import ProvenUser, check_credentials, refuse_outdated
from app.services.users.users import Profile, get_profile, get_user, refuse_inactive


@dataclass(frozen=True, slots=True)
class Login:
    """A login as its client needs it; `user` is None while it is unbound."""

    tokens: Tokens
    user: Profile | None
    openid: str | None = None
    unionid: str | None = None
    kept: KeptProfile | None = None

    @property
    def person(self) -> Profile | KeptProfile | None:
        """Give whom it is about: the user, or who is not one yet."""
        return self.user or self.kept


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
    UserDisabled, or what `decide_linking` raises; then nothing is written but why the code failed.
    """
    proven = None
    if account is not None and password is not None:
        proven = check_credentials(app.tenant_id, account, password, device)
    return _log_in(Ask(app, device, code, "login", proven))


def log_in_newcomer(
    app: AppConfig, device: Device, code: str, nickname: str = "", avatar_url: str = ""
) -> Login:
    """Log a person in by code as `log_in` does; the client names whom nothing names yet."""
    return _log_in(Ask(app, device, code, "login"), KeptProfile(nickname, avatar_url))


def _log_in(ask: Ask, claimed: KeptProfile | None = None) -> Login:
    app = ask.app

    def first(opening: Opening, asked_at: datetime) -> Login:
        met = Met(code_to_session(app, ask.code), asked_at)
        return _try_fast_login(ask, opening, met, claimed) or _enter(ask, opening, met, claimed)

    return exchange_once(ask, first, lambda opening: _entered(app, opening))


def _try_fast_login(
    ask: Ask, opening: Opening, met: Met, claimed: KeptProfile | None
) -> Login | None:
    is_named = claimed is not None and claimed.is_a_name
    found = try_fast_login(ask, opening, met, is_named=is_named)
    if found is None:
        return None
    tokens = tokens_of(opening.pair, found.user_id)
    return Login(tokens, found.user, met.identity.openid, found.unionid, found.kept)


@retry_on_conflict
def _enter(ask: Ask, opening: Opening, met: Met, claimed: KeptProfile | None) -> Login:
    context = RequestContext(ask.app, ask.device)
    with transaction() as db:
        account, unionid_is_news = meet(db, ask.app, met)
        if account.user_id is not None:
            count_if_committed(db, ask.app.appid, Measure.KNOWN)
        if claimed is not None:
            name_newcomer(db, account, claimed)
        if ask.proven is not None:
            link_by_password(db, context, account, ask.proven)
        link_at_login(db, context, account, unionid_is_news=unionid_is_news)
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
        refuse_inactive_owner(db, account)
        return login_of(db, tokens, account)


def log_in_with_password(app: AppConfig, device: Device, account: str, password: str) -> Login:
    """Log a user of the app's tenant in without a WeChat identity.

    Raises CredentialsWrong, TooManyTries or UserDisabled.
    """
    return _enter_as(app, device, check_credentials(app.tenant_id, account, password, device))


@retry_on_conflict
def _enter_as(app: AppConfig, device: Device, proven: ProvenUser) -> Login:
    user_id = proven.user_id
    with transaction() as db:
        refuse_outdated(note_login(db, app.tenant_id, user_id, device), proven)
        tokens = open_session(db, app, device, social_account_id=None, user_id=user_id)
        return Login(tokens, get_profile(db, app.tenant_id, user_id))


def refuse_inactive_owner(db: Session, account: SocialAccount) -> None:
    """Raise UserDisabled for a social account of a user who is not active."""
    if account.user_id is not None:
        refuse_inactive(get_user(db, account.tenant_id, account.user_id))


def note_login(db: Session, tenant_id: UUID, user_id: UUID, device: Device) -> User:
    """Keep when and from where a user last logged in, and an account they had closed.

    Raises UserDisabled for a disabled one, and CredentialsWrong for one who was erased after
    their password was proven; the user of a locked identity is not.
    """
    noting = update(User).where(User.tenant_id == tenant_id, User.id == user_id).returning(User)
    noted = noting.values(last_login_at=now(), last_login_ip=device.ip)
    user = db.scalars(noted).one_or_none()
    if user is None:
        raise CredentialsWrong
    refuse_inactive(user)
    if user.erase_after is not None:
        reopen(db, tenant_id, user_id, device)
    return user


def login_of(db: Session, tokens: Tokens, account: SocialAccount) -> Login:
    """Describe a login that stands on a social account, bound as its tokens are.

    The account may have been bound since by another session, and then says nothing of this one.
    """
    user_id = account.user_id if tokens.refresh_token else None
    user = get_profile(db, account.tenant_id, user_id) if user_id else None
    kept = KeptProfile(account.nickname, account.avatar_url)
    return Login(tokens, user, account.openid, account.unionid, kept)

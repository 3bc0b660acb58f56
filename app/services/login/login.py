"""Login by `wx.login` code.

A login exchanges the code with WeChat, reads the state, decides and writes. The fast path does the
last three steps with two statements; the general path does them in a transaction. `linking_policy`
decides on both paths.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, select, update
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import CodeUsed, CredentialsWrong
from app.models import LoginSession, Measure, SocialAccount, User
from app.services.apps.apps import AppConfig
from app.services.apps.call_limits import call_slot, waiting_slot
from app.services.database.transactions import retry_on_conflict, transaction
from app.services.login.code_exchange import (
    CodeAlreadyExchanged,
    CodeExchangeResult,
    LoginRequest,
    delete_old_codes,
    exchange_code,
    get_earlier_login,
    record_code,
    wait_for_earlier_login,
)
from app.services.login.code_failures import code_failures
from app.services.login.code_flights import code_flights
from app.services.login.fast_path import try_fast_login
from app.services.metrics.counts import count, count_if_committed
from app.services.metrics.logins import counted_as
from app.services.principals import Device
from app.services.sessions.sessions import SessionSeed, Tokens, open_session, tokens_of
from app.services.sessions.tokens import token_hash
from app.services.social_accounts.account_linking import (
    RequestContext,
    link_at_login,
    link_by_password,
)
from app.services.social_accounts.accounts import lock_unionid, upsert_social_account
from app.services.social_accounts.decision_log import (
    log_decision_on_commit,
    log_repeated_login,
)
from app.services.social_accounts.linking_policy import Action, Evidence
from app.services.social_accounts.profiles import AccountProfile, name_newcomer
from app.services.social_accounts.session_keys import keep_session_key
from app.services.users.account_closure import reopen
from app.services.users.credentials import check_credentials
from app.services.users.users import Profile, get_profile, get_user, refuse_inactive
from app.wechat import CodeAlreadyUsed, CodeRejected, WeChatError


@dataclass(frozen=True, slots=True)
class Login:
    """The response to a login. `user` is None while the session is unbound.

    `account_profile` is the profile of the WeChat identity, or None without an identity.
    `is_linked` is true if the identity belongs to a user, even while the session is unbound.
    """

    tokens: Tokens
    user: Profile | None
    openid: str | None = None
    unionid: str | None = None
    account_profile: AccountProfile | None = None
    is_linked: bool = False

    @property
    def person(self) -> Profile | AccountProfile | None:
        """Return the user, or the profile of the WeChat identity if the session is unbound."""
        return self.user or self.account_profile


@counted_as("code")
def log_in(
    app: AppConfig,
    device: Device,
    code: str,
    account: str | None = None,
    password: str | None = None,
) -> Login:
    """Log a person in with a `wx.login` code. With account and password, also link that user.

    The password is checked first, so that a wrong password does not use up the code. A code
    repeated by the same client within 30 seconds returns the same login (docs/decisions/0007).

    Raises WeChatError, CodeUsed, CredentialsWrong, TooManyTries, UserDisabled, or the exceptions of
    `decide_linking`. Nothing is written then, except why the code failed.
    """
    proven = None
    if account is not None and password is not None:
        proven = check_credentials(app.tenant_id, account, password, device)
    return _log_in_with_code(LoginRequest(app, device, code, proven=proven))


@counted_as("code")
def log_in_with_profile(
    app: AppConfig, device: Device, code: str, nickname: str = "", avatar_url: str = ""
) -> Login:
    """Log in like `log_in`, and store the client's profile if the identity has no nickname yet."""
    profile = AccountProfile(nickname, avatar_url)
    return _log_in_with_code(LoginRequest(app, device, code, client_profile=profile))


@counted_as("code")
def log_in_unbound(app: AppConfig, device: Device, code: str) -> Login:
    """Open an unbound session, even if the identity belongs to a user.

    The login token of the session is a bind key.
    """
    return _log_in_with_code(LoginRequest(app, device, code, opens_unbound=True))


def _log_in_with_code(request: LoginRequest) -> Login:
    """Log in, or return the login of an earlier request with the same code.

    Requests with one code that reach this process share one call to WeChat.
    """
    code_failures().refuse(request)
    flight, is_leader = code_flights().join(request)
    if is_leader:
        with flight:
            login = _exchange_and_log_in(request)
        delete_old_codes(request.app.tenant_id)
        return login
    if flight.asked_by == request.asked_by:
        with nullcontext() if flight.has_ended else waiting_slot(request.app):
            flight.wait()
    return _repeat_login(request, get_earlier_login(request))


def _exchange_and_log_in(request: LoginRequest) -> Login:
    """Exchange the code with WeChat, and log in.

    If another process has exchanged the code, WeChat rejects it. Then return that login.
    """
    try:
        with call_slot(request.app):
            exchanged = exchange_code(request)
    except CodeRejected as rejection:
        return _repeat_login(request, _get_login_of_rejected_code(request, rejection))
    except WeChatError as error:
        count(request.app.appid, Measure.OPENED)
        code_failures().note(request, error)
        raise
    count(request.app.appid, Measure.OPENED)
    try:
        return _fast_login(request, exchanged) or _general_login(request, exchanged)
    except CodeAlreadyExchanged:
        return _repeat_login(request, get_earlier_login(request))


def _get_login_of_rejected_code(request: LoginRequest, rejection: CodeRejected) -> SessionSeed:
    """Return the login of another process with a code that WeChat has rejected here.

    Raises CodeUsed if another client sent the code, and the rejection if there is no such login.
    """
    try:
        earlier = wait_for_earlier_login(request, rejection)
    except CodeUsed:
        code_failures().note_used(request)
        raise
    if earlier is None:
        count(request.app.appid, Measure.OPENED)
        if isinstance(rejection, CodeAlreadyUsed):
            code_failures().note_used(request)
        else:
            code_failures().note(request, rejection)
        raise rejection
    return earlier


def _fast_login(request: LoginRequest, exchanged: CodeExchangeResult) -> Login | None:
    """Log in on the fast path. Return None if the login needs the general path."""
    state = try_fast_login(request, exchanged)
    if state is None:
        return None
    tokens = tokens_of(exchanged.seed.pair, state.user_id)
    openid, is_linked = exchanged.identity.openid, state.user is not None
    return Login(tokens, state.user, openid, state.unionid, state.account_profile, is_linked)


@retry_on_conflict
def _general_login(request: LoginRequest, exchanged: CodeExchangeResult) -> Login:
    """Read, decide and write in one transaction that locks the social account, then the users.

    In an app that registers at login, the unionid is locked before, as on the fast path.
    """
    app, context = request.app, RequestContext(request.app, request.device)
    with transaction() as db:
        if app.registration == "on_login":
            lock_unionid(db, app.tenant_id, exchanged.identity.unionid)
        account, unionid_is_new = upsert_social_account(db, app, exchanged.identity)
        keep_session_key(db, account, exchanged.identity.session_key, exchanged.asked_at)
        if account.user_id is not None:
            count_if_committed(db, app.appid, Measure.KNOWN)
            log_decision_on_commit(db, Action.KEEP, Evidence.LOGIN, app.registration)
        if request.client_profile is not None:
            name_newcomer(db, account, request.client_profile)
        if request.proven is not None:
            link_by_password(db, context, account, request.proven)
        link_at_login(db, context, account, unionid_is_new=unionid_is_new)
        tokens = _open_session_on(db, request, exchanged, account)
        return describe_login(db, tokens, account)


def _open_session_on(
    db: Session, request: LoginRequest, exchanged: CodeExchangeResult, account: SocialAccount
) -> Tokens:
    user_id = None if request.opens_unbound else account.user_id
    if user_id is not None:
        note_login(db, account.tenant_id, user_id, request.device)
    else:
        refuse_inactive_owner(db, account)
    record_code(db, request, exchanged)
    seed = exchanged.seed
    return open_session(
        db, request.app, request.device, seed, social_account_id=account.id, user_id=user_id
    )


def _repeat_login(request: LoginRequest, seed: SessionSeed) -> Login:
    """Return the login that an earlier request opened with the same code.

    Raises CodeUsed if the session has ended or its tokens were replaced: the client has received
    the response then.
    """
    its = and_(
        SocialAccount.tenant_id == LoginSession.tenant_id,
        SocialAccount.id == LoginSession.social_account_id,
    )
    opened = (
        select(LoginSession.user_id, SocialAccount)
        .join(SocialAccount, its)
        .where(
            LoginSession.tenant_id == request.app.tenant_id,
            LoginSession.id == seed.session_id,
            LoginSession.token_hash == token_hash(seed.pair.login),
            LoginSession.ended_at.is_(None),
        )
    )
    with transaction() as db:
        row = db.execute(opened).one_or_none()
        if row is None:
            raise CodeUsed
        user_id, account = row
        if not request.opens_unbound:
            refuse_inactive_owner(db, account)
        log_repeated_login()
        return describe_login(db, tokens_of(seed.pair, user_id), account)


def refuse_inactive_owner(db: Session, account: SocialAccount) -> None:
    """Raise UserDisabled if the social account belongs to a user who is not active."""
    if account.user_id is not None:
        refuse_inactive(get_user(db, account.tenant_id, account.user_id))


def note_login(db: Session, tenant_id: UUID, user_id: UUID, device: Device) -> User:
    """Record the time and IP address of a user's login, and reopen an account that the user closed.

    Locks the user's row. Raises UserDisabled, and CredentialsWrong if the user was erased after
    the password check. The user of a locked identity cannot be erased.
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


def describe_login(db: Session, tokens: Tokens, account: SocialAccount) -> Login:
    """Return the response for a session of a social account, bound if it has a refresh token.

    If another session links the account during this login, this session stays unbound.
    """
    user_id = account.user_id if tokens.refresh_token else None
    user = get_profile(db, account.tenant_id, user_id) if user_id else None
    profile = AccountProfile(account.nickname, account.avatar_url)
    is_linked = account.user_id is not None
    return Login(tokens, user, account.openid, account.unionid, profile, is_linked)

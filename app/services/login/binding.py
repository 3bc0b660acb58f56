"""Binding of WeChat identities and phone numbers to users, and unbinding."""

from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.errors import NoSocialAccount, TokenInvalid
from app.models import LoginSession, SocialAccount
from app.services.apps.apps import AppConfig
from app.services.database.transactions import retry_on_conflict, transaction
from app.services.login.fast_binding import PhoneBinding, try_fast_bind
from app.services.login.login import Login, note_login
from app.services.metrics.logins import counted_as
from app.services.principals import Device, Principal
from app.services.sessions.queries import session_of
from app.services.sessions.session_checks import refuse_old_login
from app.services.sessions.sessions import end_sessions_statement, reissue
from app.services.social_accounts.account_linking import (
    RequestContext,
    link_by_password,
    link_by_phone,
    link_to_user,
    unlink,
)
from app.services.social_accounts.accounts import lock_social_account
from app.services.social_accounts.open_data import PhoneProof, verified_phone
from app.services.users.credentials import ProvenUser, check_credentials
from app.services.users.phone_numbers import PhoneNumber, number_index
from app.services.users.users import Profile, get_profile


@counted_as("phone")
def bind_phone(
    app: AppConfig,
    principal: Principal,
    device: Device,
    proof: PhoneProof,
    kept_token: str | None = None,
) -> Login:
    """Verify a phone number with WeChat and bind the caller's identity and session to its owner.

    If no user has the number, the identity's user gets it, or a new user is registered. `proof` is
    the data of the phone button. The login token is replaced, unless `kept_token`, the token of the
    request, is given. Raises the exceptions of `verified_phone` and `decide_linking`.
    """
    number = verified_phone(app, principal, proof)
    context = RequestContext(app, device, principal.session_id)
    fast = try_fast_bind(PhoneBinding(context, principal, number, kept_token))
    return fast or _bind_phone(context, principal, number, kept_token)


@retry_on_conflict
def _bind_phone(
    context: RequestContext, principal: Principal, number: PhoneNumber, kept_token: str | None
) -> Login:
    with transaction() as db:
        account = lock_social_account(db, principal)
        user_id = link_by_phone(db, context, account, number)
        return _logged_in(db, principal, context.device, account, user_id, kept_token)


@counted_as("phone")
def link_phone(app: AppConfig, principal: Principal, device: Device, proof: PhoneProof) -> Profile:
    """Link the caller's WeChat identity like `bind_phone`, and return the user.

    The session stays as it is and keeps its token. It stores the verified phone number for
    `trade_verified_bind_key`.
    """
    number = verified_phone(app, principal, proof)
    return _link_phone(RequestContext(app, device, principal.session_id), principal, number)


@retry_on_conflict
def _link_phone(context: RequestContext, principal: Principal, number: PhoneNumber) -> Profile:
    this = update(LoginSession).where(
        LoginSession.tenant_id == principal.tenant_id, LoginSession.id == principal.session_id
    )
    with transaction() as db:
        account = lock_social_account(db, principal)
        user_id = link_by_phone(db, context, account, number)
        index = number_index(principal.tenant_id, number)
        db.execute(this.values(verified_number_index=index))
        return get_profile(db, principal.tenant_id, user_id)


@counted_as("account")
def bind_account(
    app: AppConfig, principal: Principal, device: Device, account: str, password: str
) -> Login:
    """Bind the caller's WeChat identity to the user with an account and password.

    Raises CredentialsWrong, TooManyTries, NoSocialAccount, LoginTooOld, or the exceptions of
    `decide_linking`.
    """
    proven = check_credentials(app.tenant_id, account, password, device)
    return _bind_to(app, principal, device, proven)


@retry_on_conflict
def _bind_to(app: AppConfig, principal: Principal, device: Device, proven: ProvenUser) -> Login:
    context = RequestContext(app, device, principal.session_id)
    with transaction() as db:
        account = lock_social_account(db, principal)
        refuse_old_login(db, principal)
        link_by_password(db, context, account, proven)
        return _logged_in(db, principal, device, account, proven.user_id)


@retry_on_conflict
def bind_identity(app: AppConfig, user_id: UUID, identity: Principal, device: Device) -> None:
    """Bind the WeChat identity of an unbound session to a logged-in user, and end that session.

    Raises TokenInvalid if the session is bound, and LoginTooOld if the session was bound before and
    is more than ten minutes old.
    """
    if identity.user_id is not None:
        raise TokenInvalid
    context = RequestContext(app, device, identity.session_id)
    with transaction() as db:
        account = lock_social_account(db, identity)
        refuse_old_login(db, identity)
        link_to_user(db, context, account, user_id)
        db.execute(end_sessions_statement("bind_key_used", *session_of(identity)))


@retry_on_conflict
def unbind(app: AppConfig, principal: Principal, device: Device) -> Login:
    """Unlink the caller's user from their WeChat identity in this app. Other apps are not affected.

    The caller's session gets new tokens, and becomes unbound if it was opened with this identity.
    All other sessions of the identity end. Raises NoSocialAccount if the user has no identity in
    this app.
    """
    with transaction() as db:
        unlinked = _unlink_identities(db, app, principal, device)
        return _reissued(db, principal, unlinked, None if unlinked else principal.user_id)


@retry_on_conflict
def unlink_everywhere(app: AppConfig, principal: Principal, device: Device) -> None:
    """Unlink like `unbind`, for a client that keeps its token.

    The caller's session ends if it was opened with this identity, and is not changed otherwise.
    """
    with transaction() as db:
        if _unlink_identities(db, app, principal, device):
            db.execute(end_sessions_statement("unbound", *session_of(principal)))


def _unlink_identities(
    db: Session, app: AppConfig, principal: Principal, device: Device
) -> SocialAccount | None:
    """Unlink the user's identities in the app. Return the one of the caller's session, or None."""
    own = select(SocialAccount).where(
        SocialAccount.tenant_id == app.tenant_id,
        SocialAccount.appid == app.appid,
        SocialAccount.user_id == principal.user_id,
    )
    accounts = db.scalars(own.with_for_update()).all()
    if not accounts:
        raise NoSocialAccount
    for account in accounts:
        unlink(db, RequestContext(app, device, principal.session_id), account)
    return next((one for one in accounts if one.id == principal.social_account_id), None)


def _logged_in(
    db: Session,
    principal: Principal,
    device: Device,
    account: SocialAccount,
    user_id: UUID,
    kept_token: str | None = None,
) -> Login:
    """Return the caller's session, newly bound to a user, with new tokens.

    Records the login of the user and reopens a closed account.
    """
    db.flush()
    note_login(db, principal.tenant_id, user_id, device)
    return _reissued(db, principal, account, user_id, kept_token)


def _reissued(
    db: Session,
    principal: Principal,
    account: SocialAccount | None,
    user_id: UUID | None,
    kept_token: str | None = None,
) -> Login:
    db.flush()
    tokens = reissue(db, principal, user_id, kept_token)
    user = get_profile(db, principal.tenant_id, user_id) if user_id else None
    if account is None:
        return Login(tokens, user)
    return Login(tokens, user, account.openid, account.unionid)

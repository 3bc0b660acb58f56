"""Binding a WeChat identity and a phone to a user, and unbinding: each gives new tokens."""

from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.errors import NoSocialAccount, TokenInvalid
from app.models import LoginSession, SocialAccount
from app.services.apps import AppConfig
from app.services.callers import Caller
from app.services.credentials import ProvenUser, check_credentials
from app.services.login import Login, note_login
from app.services.open_data import verified_phone
from app.services.owners import Visit, free, settle_by_password, settle_by_phone, settle_by_user
from app.services.phone_numbers import PhoneNumber, number_index
from app.services.sessions import (
    Device,
    ending,
    refuse_old_login,
    reissue,
)
from app.services.social_accounts import lock_social_account
from app.services.transactions import decided_again_when_lost, transaction
from app.services.users import Profile, get_profile


def bind_phone(
    app: AppConfig, caller: Caller, device: Device, kept_token: str | None = None, **proof: str
) -> Login:
    """Learn the caller's number from WeChat, and bind them to whom it says they are.

    The proof is what the phone button gave. The login token is a new one, or stays `kept_token`,
    the one the caller showed. Raises what `verified_phone` and `decide_binding` raise.
    """
    number = verified_phone(app, caller, **proof)
    return _bind_phone(Visit(app, device, caller.session_id), caller, number, kept_token)


@decided_again_when_lost
def _bind_phone(visit: Visit, caller: Caller, number: PhoneNumber, kept_token: str | None) -> Login:
    with transaction() as db:
        account = lock_social_account(db, caller)
        user_id = settle_by_phone(db, visit, account, number)
        return _logged_in(db, caller, visit.device, account, user_id, kept_token)


def settle_phone(app: AppConfig, caller: Caller, device: Device, **proof: str) -> Profile:
    """Do as `bind_phone` does, but leave the session and its token as they are, to be traded."""
    number = verified_phone(app, caller, **proof)
    return _settle_phone(Visit(app, device, caller.session_id), caller, number)


@decided_again_when_lost
def _settle_phone(visit: Visit, caller: Caller, number: PhoneNumber) -> Profile:
    this = update(LoginSession).where(
        LoginSession.tenant_id == caller.tenant_id, LoginSession.id == caller.session_id
    )
    with transaction() as db:
        account = lock_social_account(db, caller)
        user_id = settle_by_phone(db, visit, account, number)
        index = number_index(caller.tenant_id, number)
        db.execute(this.values(verified_number_index=index))
        return get_profile(db, caller.tenant_id, user_id)


def bind_account(
    app: AppConfig, caller: Caller, device: Device, account: str, password: str
) -> Login:
    """Bind the caller's WeChat identity to the user of an account.

    Raises CredentialsWrong, TooManyTries, NoSocialAccount, LoginTooOld, or what `decide_binding`
    raises.
    """
    proven = check_credentials(app.tenant_id, account, password, device)
    return _bind_to(app, caller, device, proven)


@decided_again_when_lost
def _bind_to(app: AppConfig, caller: Caller, device: Device, proven: ProvenUser) -> Login:
    visit = Visit(app, device, caller.session_id)
    with transaction() as db:
        account = lock_social_account(db, caller)
        refuse_old_login(db, caller)
        settle_by_password(db, visit, account, proven)
        return _logged_in(db, caller, device, account, proven.user_id)


@decided_again_when_lost
def bind_identity(app: AppConfig, user_id: UUID, identity: Caller, device: Device) -> None:
    """Bind the WeChat identity of an unbound session to a logged-in user.

    That session ends: its bind key has been used. Raises TokenInvalid for a bound session, and
    LoginTooOld for one that was bound.
    """
    if identity.user_id is not None:
        raise TokenInvalid
    visit = Visit(app, device, identity.session_id)
    with transaction() as db:
        account = lock_social_account(db, identity)
        refuse_old_login(db, identity)
        settle_by_user(db, visit, account, user_id)
        db.execute(ending("bind_key_used", LoginSession.id == identity.session_id))


@decided_again_when_lost
def unbind(app: AppConfig, caller: Caller, device: Device) -> Login:
    """Free this app's WeChat identity of the caller's user, and that one only.

    The caller's session gets new tokens, and becomes unbound if it stood on the identity; every
    other session that did ends. Raises NoSocialAccount when there is nothing to free.
    """
    with transaction() as db:
        freed = _free_identity(db, app, caller, device)
        return _reissued(db, caller, freed, None if freed else caller.user_id)


@decided_again_when_lost
def unbind_for_good(app: AppConfig, caller: Caller, device: Device) -> None:
    """Do as `unbind` does for a client that takes no new tokens.

    Its session goes on as it is, or ends if it stood on the identity.
    """
    with transaction() as db:
        if _free_identity(db, app, caller, device):
            db.execute(ending("unbound", LoginSession.id == caller.session_id))


def _free_identity(
    db: Session, app: AppConfig, caller: Caller, device: Device
) -> SocialAccount | None:
    """Free the user's identity in the app; give the one that the caller's session stood on."""
    own = select(SocialAccount).where(
        SocialAccount.tenant_id == app.tenant_id,
        SocialAccount.appid == app.appid,
        SocialAccount.user_id == caller.user_id,
    )
    accounts = db.scalars(own.with_for_update()).all()
    if not accounts:
        raise NoSocialAccount
    for account in accounts:
        free(db, Visit(app, device, caller.session_id), account)
    return next((one for one in accounts if one.id == caller.social_account_id), None)


def _logged_in(
    db: Session,
    caller: Caller,
    device: Device,
    account: SocialAccount,
    user_id: UUID,
    kept_token: str | None = None,
) -> Login:
    """Give the caller's session to the user it was just bound to, which is a login of the user.

    It is noted as one, and reopens a closed account.
    """
    db.flush()
    note_login(db, caller.tenant_id, user_id, device)
    return _reissued(db, caller, account, user_id, kept_token)


def _reissued(
    db: Session,
    caller: Caller,
    account: SocialAccount | None,
    user_id: UUID | None,
    kept_token: str | None = None,
) -> Login:
    db.flush()
    tokens = reissue(db, caller, user_id, kept_token)
    user = get_profile(db, caller.tenant_id, user_id) if user_id else None
    if account is None:
        return Login(tokens, user)
    return Login(tokens, user, account.openid, account.unionid)

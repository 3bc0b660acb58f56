"""Setting passwords: by the user who knows the old one, or by an operator."""

from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.errors import CredentialsWrong, NoAccount, NoPassword, UserMerged, UserUnknown
from app.models import LoginSession, User
from app.services import audit
from app.services.callers import Caller
from app.services.credentials import prove_password
from app.services.password_tries import forget_account
from app.services.passwords import hash_password
from app.services.sessions import Device, ending
from app.services.tenants import get_tenant
from app.services.transactions import decided_again_when_lost, transaction
from app.services.user_sessions import sessions_of_user
from app.services.users import account_name, get_user


def change_password(
    caller: Caller, user_id: UUID, device: Device, old_password: str, new_password: str
) -> None:
    """Change the user's own password; every other session of theirs ends.

    Raises NoPassword, CredentialsWrong or TooManyTries.
    """
    with transaction() as db:
        user = get_user(db, caller.tenant_id, user_id)
    if user.account is None or user.password_hash is None:
        raise NoPassword
    proven = prove_password(caller.tenant_id, user.account, old_password, device)
    _replace(caller, proven, device, hash_password(new_password))


@decided_again_when_lost
def _replace(caller: Caller, proven: User, device: Device, password_hash: str) -> None:
    """Keep a new hash in the place of the very one that was proven: of two changes one wins."""
    with transaction() as db:
        user = _lock(db, User.tenant_id == caller.tenant_id, User.id == proven.id)
        if user is None or user.password_hash != proven.password_hash:
            raise CredentialsWrong
        user.password_hash = password_hash
        _end_sessions(db, user, LoginSession.id != caller.session_id)
        actor = audit.Actor("user", user.id, device.ip)
        audit.record(db, user.tenant_id, actor, "user.password_changed", user.id)


def set_password(tenant_slug: str, account: str, password: str) -> None:
    """Set a user's password, for an operator; every session of theirs ends.

    Raises TenantUnknown or UserUnknown.
    """
    with transaction() as db:
        tenant_id = get_tenant(db, tenant_slug).id
    set_password_of(audit.OPERATOR, tenant_id, User.account == account_name(account), password)


def set_password_of(
    actor: audit.Actor, tenant_id: UUID, which: ColumnElement[bool], password: str
) -> None:
    """Set the password of one user of a tenant; every session of theirs ends.

    Raises UserUnknown, UserMerged, or NoAccount for who could not log in with it.
    """
    _set(actor, tenant_id, which, hash_password(password))


@decided_again_when_lost
def _set(
    actor: audit.Actor, tenant_id: UUID, which: ColumnElement[bool], password_hash: str
) -> None:
    with transaction() as db:
        user = _lock(db, User.tenant_id == tenant_id, which)
        if user is None:
            raise UserUnknown
        if user.status == "merged":
            raise UserMerged
        if user.account is None:
            raise NoAccount
        had = {"password": "set" if user.password_hash else None}
        user.password_hash = password_hash
        _end_sessions(db, user)
        forget_account(db, tenant_id, user.account)
        after = {"password": "replaced" if had["password"] else "set"}
        audit.record(db, tenant_id, actor, "user.password_set", user.id, before=had, after=after)


def _lock(db: Session, *which: ColumnElement[bool]) -> User | None:
    return db.scalar(select(User).where(*which).with_for_update())


def _end_sessions(db: Session, user: User, *which: ColumnElement[bool]) -> None:
    """End the user's sessions, and the unbound ones that could be bound to the user."""
    theirs = sessions_of_user(user.tenant_id, user.id)
    db.execute(ending("password_changed", *theirs, *which))

"""Changes of user passwords, by the user or by an operator."""

from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from app.errors import CredentialsWrong, NoAccount, NoPassword, UserMerged, UserUnknown
from app.keyring import SealBroken
from app.models import LoginSession, Phone, Tenant, User
from app.services import audit
from app.services.apps.tenants import get_tenant
from app.services.database.transactions import retry_on_conflict, transaction
from app.services.passwords.hashing import hash_in_turn
from app.services.passwords.hashing_queue import Lane
from app.services.passwords.login_throttling import forget_account
from app.services.passwords.strength import require_user_password
from app.services.principals import Device, Principal
from app.services.sessions.queries import sessions_of_user
from app.services.sessions.sessions import end_sessions_statement
from app.services.users.credentials import prove_password
from app.services.users.users import get_user
from app.text_cleaning import account_name


def change_password(
    principal: Principal, user_id: UUID, device: Device, old_password: str, new_password: str
) -> None:
    """Change the user's own password and end all other sessions of the user.

    Raises NoPassword, CredentialsWrong, TooManyTries, PasswordTooShort or PasswordTooWeak.
    """
    with transaction() as db:
        user = get_user(db, principal.tenant_id, user_id)
    if user.account is None or user.password_hash is None:
        raise NoPassword
    proven = prove_password(principal.tenant_id, user.account, old_password, device)
    require_user_password(new_password, _known_of(proven))
    _replace(principal, proven, device, hash_in_turn(new_password, Lane.KNOWN, principal.tenant_id))


@retry_on_conflict
def _replace(principal: Principal, proven: User, device: Device, password_hash: str) -> None:
    """Store a new hash if the stored hash is still the one that was checked.

    Of two simultaneous changes one succeeds, and the other raises CredentialsWrong.
    """
    with transaction() as db:
        user = _lock(db, User.tenant_id == principal.tenant_id, User.id == proven.id)
        if user is None or user.password_hash != proven.password_hash:
            raise CredentialsWrong
        user.password_hash = password_hash
        _end_sessions(db, user, LoginSession.id != principal.session_id)
        actor = audit.Actor("user", user.id, device.ip)
        audit.record(db, user.tenant_id, actor, "user.password_changed", user.id)


def set_password(tenant_slug: str, account: str, password: str) -> None:
    """Set a user's password as an operator and end all sessions of the user.

    Raises TenantUnknown, or the exceptions of `set_password_of`.
    """
    with transaction() as db:
        tenant_id = get_tenant(db, tenant_slug).id
    set_password_of(audit.OPERATOR, tenant_id, User.account == account_name(account), password)


def set_password_of(
    actor: audit.Actor, tenant_id: UUID, which: ColumnElement[bool], password: str
) -> None:
    """Set the password of one user of a tenant and end all sessions of the user.

    Raises UserUnknown, UserMerged, NoAccount for a user who could not log in with a password,
    PasswordTooShort or PasswordTooWeak.
    """
    with transaction() as db:
        user, _ = _find_changeable(db, select(User).where(User.tenant_id == tenant_id, which))
    require_user_password(password, _known_of(user))
    _set(actor, tenant_id, which, hash_in_turn(password, Lane.KNOWN, tenant_id))


@retry_on_conflict
def _set(
    actor: audit.Actor, tenant_id: UUID, which: ColumnElement[bool], password_hash: str
) -> None:
    with transaction() as db:
        one = select(User).where(User.tenant_id == tenant_id, which)
        user, account = _find_changeable(db, one.with_for_update())
        had = {"password": "set" if user.password_hash else None}
        user.password_hash = password_hash
        _end_sessions(db, user)
        forget_account(db, tenant_id, account)
        after = {"password": "replaced" if had["password"] else "set"}
        audit.record(db, tenant_id, actor, "user.password_set", user.id, before=had, after=after)


def _find_changeable(db: Session, one: Select[User]) -> tuple[User, str]:
    """Return the user and the account; raise UserUnknown, UserMerged or NoAccount."""
    user = db.scalar(one)
    if user is None:
        raise UserUnknown
    if user.status == "merged":
        raise UserMerged
    if user.account is None:
        raise NoAccount
    return user, user.account


def _known_of(user: User) -> Sequence[str | None]:
    """Return the texts that a password of the user must not consist of. Opens a transaction."""
    names = select(Tenant.name, Tenant.slug).where(Tenant.id == user.tenant_id)
    numbers = select(Phone).where(Phone.tenant_id == user.tenant_id, Phone.user_id == user.id)
    with transaction() as db:
        name, slug = db.execute(names).one()
        phone = db.scalar(numbers)
    return user.account, user.nickname, _read_number(phone), name, slug


def _read_number(phone: Phone | None) -> str | None:
    """Return the phone number, or None if it cannot be decrypted (after `flask keys forget`)."""
    with suppress(SealBroken):
        return phone.number if phone else None
    return None


def _lock(db: Session, *which: ColumnElement[bool]) -> User | None:
    return db.scalar(select(User).where(*which).with_for_update())


def _end_sessions(db: Session, user: User, *which: ColumnElement[bool]) -> None:
    """End the user's sessions, and unbound sessions that can be bound to the user."""
    theirs = sessions_of_user(user.tenant_id, user.id)
    db.execute(end_sessions_statement("password_changed", *theirs, *which))

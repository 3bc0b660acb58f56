"""Credentials: login by account and password."""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select

from app.errors import CredentialsWrong, LoginsTooMany
from app.models import User
from app.services.database.transactions import transaction
from app.services.passwords.hashing import is_password
from app.services.passwords.hashing_queue import Lane, hashing_queue
from app.services.passwords.login_throttling import (
    count_try,
    is_known_device_or_address,
    record_success,
    sweep,
)
from app.services.principals import Device
from app.services.runtime.rate_limits import Rule, rate_limits
from app.services.users.users import refuse_inactive
from app.text_cleaning import account_name

# Right passwords are limited too: each check uses CPU time, and each login writes a session.
SUCCESSES = Rule("password_successes", 30)


@dataclass(frozen=True, slots=True)
class ProvenUser:
    """A user with a checked password, and the password hash that it was checked against.

    The check is no longer valid when the hash has changed (`refuse_outdated`).
    """

    user_id: UUID
    password_hash: str | None = field(repr=False)


def check_credentials(tenant_id: UUID, account: str, password: str, device: Device) -> ProvenUser:
    """Return the user of the tenant with this account and password.

    Raises CredentialsWrong for an unknown account and for a wrong password, after the same work;
    TooManyTries after too many failures; UserDisabled only if the password is right.
    """
    user = prove_password(tenant_id, account_name(account), password, device)
    refuse_inactive(user)
    return ProvenUser(user.id, user.password_hash)


def refuse_outdated(user: User, proven: ProvenUser) -> None:
    """Raise CredentialsWrong if a locked user's password was changed after it was checked.

    Must run in the transaction that opens the session: a change of the password is then either
    detected here or ends the new session.
    """
    if user.password_hash != proven.password_hash:
        raise CredentialsWrong


def prove_password(tenant_id: UUID, account: str, password: str, device: Device) -> User:
    """Return the user of an account, active or not, if the password is right.

    Waits in the hashing queue first. Holds no connection while waiting or hashing. Raises
    CredentialsWrong, TooManyTries, LoginsTooMany or PasswordsBusy.
    """
    key = (str(tenant_id), account)
    if wait := rate_limits().wait_of(SUCCESSES, *key):
        raise LoginsTooMany(retry_after=wait)
    wanted = select(User).where(User.tenant_id == tenant_id, User.account == account)
    with transaction() as db:
        is_known = is_known_device_or_address(db, tenant_id, account, device)
    lane = Lane.KNOWN if is_known else Lane.OTHERS
    with hashing_queue().turn(lane, tenant_id, device):
        with transaction() as db:
            tried = count_try(db, tenant_id, account, device)
            user = db.scalar(wanted)
        is_right = is_password(password, user.password_hash if user else None)
        with transaction() as db:
            record_success(db, tried) if is_right else sweep(db)
    if user is None or not is_right:
        raise CredentialsWrong
    rate_limits().count(SUCCESSES, *key)
    return user

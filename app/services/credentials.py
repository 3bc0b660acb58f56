"""Account and password: the other proof of who somebody is."""

from uuid import UUID

from sqlalchemy import select

from app.errors import CredentialsWrong
from app.models import User
from app.services.passwords import is_password
from app.services.transactions import transaction
from app.services.users import account_name, refuse_inactive


def check_credentials(tenant_id: UUID, account: str, password: str) -> UUID:
    """Find the user of the tenant with this account and password.

    Raises CredentialsWrong, whichever of the two is wrong, after the same work; UserDisabled
    only to somebody who knows the password. No connection is held while hashing.
    """
    wanted = select(User).where(User.tenant_id == tenant_id, User.account == account_name(account))
    with transaction() as db:
        user = db.scalar(wanted)
    if not is_password(password, user.password_hash if user else None) or user is None:
        raise CredentialsWrong
    refuse_inactive(user)
    return user.id

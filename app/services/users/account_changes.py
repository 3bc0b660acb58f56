"""Changing a user's account, the name for logins by password."""

from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from app.errors import AccountExists, UserUnknown
from app.errors.sqlstates import violated_constraint
from app.models import PasswordTry, User
from app.services import audit
from app.services.apps.tenants import get_tenant
from app.services.database.transactions import transaction
from app.services.passwords.login_throttling import attempts_of_accounts
from app.text_cleaning import account_name


def change_account(tenant_slug: str, user_id: UUID, account: str) -> None:
    """Change the account of a user of a tenant. The password and the sessions stay valid.

    Raises TenantUnknown, UserUnknown or AccountExists.
    """
    try:
        with transaction() as db:
            tenant = get_tenant(db, tenant_slug)
            wanted = select(User).where(User.tenant_id == tenant.id, User.id == user_id)
            user = db.scalar(wanted.with_for_update())
            if user is None:
                raise UserUnknown
            if user.account is not None:
                # Erasure finds login attempts by the user's current account only.
                db.execute(
                    delete(PasswordTry).where(attempts_of_accounts(tenant.id, [user.account]))
                )
            user.account = account_name(account)
            audit.record(db, tenant.id, audit.OPERATOR, "user.account_changed", user_id)
    except IntegrityError as error:
        if violated_constraint(error) == "uq_users_tenant_id_account":
            raise AccountExists from None
        raise

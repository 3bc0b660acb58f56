"""Erasure of accounts whose grace period after the closure is over."""

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import func, select

from app.clock import now
from app.models import User
from app.services import audit
from app.services.database.tenant_reads import (
    TENANT_ID,
    read_tenant_ids,
    select_per_tenant,
    tenants_with_rows,
)
from app.services.database.transactions import lift_timeouts, retry_on_conflict, transaction
from app.services.privacy.erasure import erase
from app.services.privacy.personal_data import lock_personal_data
from app.services.retention.failures import Failures

KIND = "closed_accounts"


def count_closed_accounts() -> Iterator[int]:
    """Yield the number of accounts that are due."""
    due = select(func.count()).where(User.tenant_id == TENANT_ID, User.erase_after <= now())
    with transaction() as db:
        lift_timeouts(db)
        count = sum(rows[0][0] for _, rows in select_per_tenant(db, due, read_tenant_ids(db)))
    yield count


def erase_closed_accounts(failures: Failures) -> Iterator[int]:
    """Erase the accounts that are due. Yield the number for each tenant."""
    some = select(User.id).where(User.tenant_id == TENANT_ID, User.erase_after <= now()).limit(1)
    with transaction() as db:
        tenants = read_tenant_ids(db)
    for tenant_id in tenants_with_rows(some, tenants):
        yield failures.attempt(KIND, f"tenant {tenant_id}", _erase_of_tenant(tenant_id, failures))


def _erase_of_tenant(tenant_id: UUID, failures: Failures) -> Iterator[int]:
    due = select(User.id).where(User.tenant_id == tenant_id, User.erase_after <= now())
    with transaction() as db:
        user_ids = db.scalars(due).all()
    for user_id in user_ids:
        yield failures.attempt(KIND, f"user {user_id}", _erasing(tenant_id, user_id))


def _erasing(tenant_id: UUID, user_id: UUID) -> Iterator[int]:
    yield int(_erase(tenant_id, user_id))


@retry_on_conflict
def _erase(tenant_id: UUID, user_id: UUID) -> bool:
    """Erase a closed account, unless its user has just logged in or another run has erased it."""
    with transaction() as db:
        held = lock_personal_data(db, tenant_id, user_id)
        still = select(User.id).where(User.tenant_id == tenant_id, User.id == user_id)
        if db.scalar(still.where(User.erase_after <= now())) is None:
            return False
        erase(db, held, audit.SYSTEM)
        return True

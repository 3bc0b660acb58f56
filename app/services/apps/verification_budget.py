"""A limit on the number of AppSecret verifications per tenant and minute."""

from datetime import timedelta
from math import ceil
from uuid import UUID

from sqlalchemy import case, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import AppVerificationsTooMany
from app.models import VerificationBudget
from app.services.database.transactions import transaction

WINDOW = timedelta(minutes=1)
MOST_CALLS = 10


def charge_verification(db: Session, tenant_id: UUID) -> None:
    """Count a verification in the caller's transaction.

    Raises AppVerificationsTooMany if the tenant has used up its verifications of this minute.
    """
    moment = now()
    began, calls = VerificationBudget.window_began, VerificationBudget.calls
    is_over = began <= moment - WINDOW
    first = insert(VerificationBudget).values(tenant_id=tenant_id, window_began=moment, calls=1)
    counting = first.on_conflict_do_update(
        constraint="pk_verification_budgets",
        set_={
            "window_began": case((is_over, moment), else_=began),
            "calls": case((is_over, 1), else_=calls + 1),
        },
        where=or_(is_over, calls < MOST_CALLS),
    )
    if db.scalar(counting.returning(calls)) is None:
        left = db.scalars(select(began).where(VerificationBudget.tenant_id == tenant_id)).one()
        seconds = (left + WINDOW - moment).total_seconds()
        raise AppVerificationsTooMany(retry_after=max(1, ceil(seconds)))


def charge_verification_in_own_transaction(tenant_id: UUID) -> None:
    """Call `charge_verification` in a separate transaction."""
    with transaction() as db:
        charge_verification(db, tenant_id)

"""Queries of operators, for lists and pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from app.errors import (
    OperatorUnknown,
)
from app.models import Operator, Tenant
from app.services.database.paging import CursorPage, Listing, Page, read_page
from app.services.database.transactions import transaction
from app.text_cleaning import email_name


@dataclass(frozen=True, slots=True)
class ShownOperator:
    """An operator as other operators see them."""

    id: UUID
    email: str
    role: str
    status: str
    tenant_id: UUID | None
    tenant_slug: str | None
    is_invited: bool
    asks_code: bool
    signed_in_at: datetime | None
    created_at: datetime


def list_operators() -> Sequence[ShownOperator]:
    """List every operator by e-mail address."""
    wanted = select(Operator, Tenant.slug).outerjoin(Tenant).order_by(Operator.email)
    with transaction() as db:
        return [_shown(operator, slug) for operator, slug in db.execute(wanted)]


def page_of_operators(cursor_page: CursorPage) -> Page[ShownOperator]:
    """Return a page of operators by e-mail address. Raise CursorInvalid."""
    rows = select(Operator, Tenant.slug).outerjoin(Tenant)
    listing = Listing(rows, Operator.email, "operators", is_ascending=True)
    with transaction() as db:
        return read_page(db, listing, cursor_page, _shown)


def show_operator(operator_id: UUID) -> ShownOperator:
    """Return one operator. Raise OperatorUnknown."""
    rows = select(Operator, Tenant.slug).outerjoin(Tenant)
    with transaction() as db:
        row = db.execute(rows.where(Operator.id == operator_id)).one_or_none()
    if row is None:
        raise OperatorUnknown
    return _shown(*row)


def find_operator_id(email: str) -> UUID:
    """Return the id of the operator with an e-mail address. Raise OperatorUnknown."""
    with transaction() as db:
        found = db.scalar(select(Operator.id).where(Operator.email == email_name(email)))
    if found is None:
        raise OperatorUnknown
    return found


def _shown(operator: Operator, tenant_slug: str | None) -> ShownOperator:
    return ShownOperator(
        operator.id,
        operator.email,
        operator.role,
        operator.status,
        operator.tenant_id,
        tenant_slug,
        operator.password_hash is None,
        operator.totp_step is not None,
        operator.signed_in_at,
        operator.created_at,
    )

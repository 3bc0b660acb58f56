"""Retention batches: delete the due rows of a table, tenant by tenant, in short transactions."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Column, Table, delete, func, select
from sqlalchemy.orm import Session

from app.extensions import Model
from app.models import SocialAccount
from app.models.audit_event import EventColumns
from app.models.distribution import key_within_tenant
from app.services.database.tenant_reads import TENANT_ID, select_per_tenant, tenants_with_rows
from app.services.database.transactions import lift_timeouts, transaction
from app.services.privacy.erasure import allow_audit_changes, erase_unused
from app.services.retention.rules import Condition, Due

# The most rows that a statement scans.
AT_ONCE = 500


def count_due(table: type[Model], due: Due) -> Iterator[int]:
    """Yield the number of rows that are due."""
    counted = select(func.count()).select_from(table).where(*_rows_of(table, due, TENANT_ID))
    counted = counted.where(*due.old, due.useless)
    with transaction() as db:
        lift_timeouts(db)
        if due.tenants is None:
            count = db.scalars(counted).one()
        else:
            count = sum(rows[0][0] for _, rows in select_per_tenant(db, counted, due.tenants))
    yield count


def tenants_with_old_rows(table: type[Model], due: Due) -> Iterator[UUID | None]:
    """Yield the tenants with rows to scan, or None for a rule without tenants."""
    if due.tenants is None:
        yield None
        return
    old = select(key_of(table)).where(*_rows_of(table, due, TENANT_ID), *due.old).limit(1)
    yield from tenants_with_rows(old, due.tenants)


def remove_due(table: type[Model], due: Due, tenant_id: UUID | None) -> Iterator[int]:
    """Scan the old rows of a tenant in the order of their keys, and delete the due rows among them.

    No statement scans more than `AT_ONCE` rows. Yields the number of rows that each batch deleted.
    """
    key, rows = key_of(table), _rows_of(table, due, tenant_id)
    rest: tuple[Condition, ...] = due.old
    while True:
        end = select(key).where(*rows, *rest).order_by(key).offset(AT_ONCE - 1).limit(1)
        with transaction() as db:
            last = db.scalar(end)
        few = rest if last is None else (*rest, key <= last)
        yield _remove_few(table, tenant_id, rows, (*few, due.useless))
        if last is None:
            return
        rest = (*due.old, key > last)


def key_of(table: type[Model]) -> Column[Any]:
    """Return the primary key column other than `tenant_id`."""
    return key_within_tenant(cast(Table, table.__table__))


def _rows_of(table: type[Model], due: Due, tenant_id: object) -> Sequence[Condition]:
    """Return the conditions that select the rows of a tenant in each statement."""
    return () if due.tenants is None else (table.__table__.c.tenant_id == tenant_id,)


def _remove_few(
    table: type[Model],
    tenant_id: UUID | None,
    rows: Sequence[Condition],
    which: Sequence[Condition],
) -> int:
    key = key_of(table)
    few = select(key).where(*rows, *which).with_for_update(skip_locked=True)
    with transaction() as db:
        keys = db.scalars(few).all()
        if not keys:
            return 0
        if table is SocialAccount and tenant_id is not None:
            erase_unused(db, tenant_id, keys)
            return len(keys)
        with _allowed(db, table):
            db.execute(delete(table).where(*rows, key.in_(keys)))
        return len(keys)


def _allowed(db: Session, table: type[Model]) -> AbstractContextManager[None]:
    return allow_audit_changes(db) if issubclass(table, EventColumns) else nullcontext()

"""Key usage: count the rows that each key encrypted, in one scan of each column and tenant."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import psycopg
from sqlalchemy import Column, ColumnElement, case, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.keyring import SHORTEST_BODY, keyring
from app.models.sealed_columns import SealedColumn, sealed_columns
from app.services.database.tenant_reads import TENANT_ID, read_tenant_ids, select_per_tenant
from app.services.database.transactions import lift_timeouts, transaction
from config.readers import KEY_ID


@dataclass(frozen=True, slots=True)
class KeyUse:
    """The number of rows of a column that a key encrypted.

    Without a key id, the number of rows that no key can decrypt.
    """

    key_id: str | None
    column: str
    rows: int

    @property
    def state(self) -> str:
        """The state of the key: current, old or missing; unreadable without a key id."""
        ring = keyring()
        if self.key_id is None:
            return "unreadable"
        if self.key_id not in ring:
            return "missing"
        return "current" if self.key_id == ring.first else "old"


def count_key_usage() -> Sequence[KeyUse]:
    """Count the rows of each column by the key they need."""
    with transaction() as db:
        return key_usage(db)


def key_usage(db: Session) -> Sequence[KeyUse]:
    """Count the rows of each column by the key they need, in the caller's transaction."""
    lift_timeouts(db)
    tenants = read_tenant_ids(db)
    return [use for column in sealed_columns() for use in _usage_of(db, column, tenants)]


def is_key_used(db: Session, key_id: str) -> bool:
    """Return whether any row needs a key. Reads every row if none does."""
    lift_timeouts(db)
    return any(_search(db, key_id))


def is_key_used_within(seconds: float, key_id: str) -> bool | None:
    """Return whether any row needs a key, or None if the search takes longer. Opens a transaction.

    No statement takes longer than `seconds`.
    """
    until = time.monotonic() + seconds
    try:
        with transaction() as db:
            lift_timeouts(db)
            db.execute(text(f"SET LOCAL statement_timeout = {int(seconds * 1000)}"))
            for is_found in _search(db, key_id):
                if is_found or time.monotonic() > until:
                    return is_found or None
    except (DBAPIError, psycopg.errors.QueryCanceled) as failed:
        cause = failed.orig if isinstance(failed, DBAPIError) else failed
        if not isinstance(cause, psycopg.errors.QueryCanceled):
            raise
        return None
    return False


def _search(db: Session, key_id: str) -> Iterator[bool]:
    """Search each column, tenant by tenant. Yield whether each search found a row."""
    tenants = read_tenant_ids(db)
    for column in sealed_columns():
        wanted = select(column.key).where(sealed_with(column, key_id)).limit(1)
        if column.tenant_id is None:
            yield db.scalar(wanted) is not None
        else:
            of_tenant = wanted.where(column.tenant_id == TENANT_ID)
            yield from (bool(rows) for _, rows in select_per_tenant(db, of_tenant, tenants))


def sealed_with(column: SealedColumn, key_id: str) -> ColumnElement[bool]:
    """Return the condition for a key id. LIKE would treat an underscore as any character."""
    return func.starts_with(column.column, f"{key_id}:")


def _usage_of(db: Session, column: SealedColumn, tenants: Sequence[UUID]) -> Sequence[KeyUse]:
    rows: Counter[str | None] = Counter()
    for found, count in _counted(db, column, tenants):
        rows[found if found is not None and KEY_ID.fullmatch(found) else None] += count
    known = sorted(found for found in rows if found is not None)
    unreadable = [None] if rows[None] else []
    return [KeyUse(found, column.name, rows[found]) for found in (*known, *unreadable)]


def _counted(
    db: Session, column: SealedColumn, tenants: Sequence[UUID]
) -> Iterator[tuple[str | None, int]]:
    """Yield possible key ids and their numbers of rows, separately for each tenant."""
    columns = select(_key_id(column.column), func.count()).where(column.column.is_not(None))
    counting = columns.group_by(text("1"))
    if column.tenant_id is None:
        yield from ((found, count) for found, count in db.execute(counting))
        return
    of_tenant = counting.where(column.tenant_id == TENANT_ID)
    for _, rows in select_per_tenant(db, of_tenant, tenants):
        yield from rows


def _key_id(sealed: Column[str]) -> ColumnElement[str | None]:
    """Return the SQL expression for the key id, or null for a text that is no ciphertext.

    A text that is no ciphertext may be the secret itself, so no part of it is read. A regular
    expression would take PostgreSQL ten times as long.
    """
    colon = func.strpos(sealed, ":")
    return case((func.length(sealed) - colon >= SHORTEST_BODY, func.left(sealed, colon - 1)))

"""Key usage: count the rows that each key encrypted, in one scan of each column."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, case, func, select, text
from sqlalchemy.orm import Session

from app.keyring import SHORTEST_BODY, keyring
from app.models.sealed_columns import SealedColumn, sealed_columns
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
    return [use for column in sealed_columns() for use in _usage_of(db, column)]


def is_key_used(db: Session, key_id: str) -> bool:
    """Return whether any row needs a key. Reads every row if none does."""
    lift_timeouts(db)
    wanted = (
        select(column.key).where(sealed_with(column, key_id)).limit(1)
        for column in sealed_columns()
    )
    return any(db.scalar(one) is not None for one in wanted)


def sealed_with(column: SealedColumn, key_id: str) -> ColumnElement[bool]:
    """Return the condition for a key id. LIKE would treat an underscore as any character."""
    return func.starts_with(column.column, f"{key_id}:")


def _usage_of(db: Session, column: SealedColumn) -> Sequence[KeyUse]:
    counted = select(_key_id(column.column), func.count()).where(column.column.is_not(None))
    rows = db.execute(counted.group_by(text("1")).order_by(text("1"))).all()
    uses = [KeyUse(found, column.name, count) for found, count in rows if _is_key_id(found)]
    unreadable = sum(count for found, count in rows if not _is_key_id(found))
    return [*uses, KeyUse(None, column.name, unreadable)] if unreadable else uses


def _key_id(sealed: Column[str]) -> ColumnElement[str | None]:
    """Return the SQL expression for the key id, or null for a text that is no ciphertext.

    A text that is no ciphertext may be the secret itself, so no part of it is read. A regular
    expression would take PostgreSQL ten times as long.
    """
    colon = func.strpos(sealed, ":")
    return case((func.length(sealed) - colon >= SHORTEST_BODY, func.left(sealed, colon - 1)))


def _is_key_id(found: str | None) -> bool:
    return found is not None and KEY_ID.fullmatch(found) is not None

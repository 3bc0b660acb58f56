"""Key rotation: re-encrypt rows of older keys with the first key, while the service runs.

No state is stored between batches. The remaining rows are those that the first key did not encrypt.
A rotation can therefore be stopped and restarted, and two can run at the same time.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    Text,
    any_,
    column,
    func,
    literal,
    select,
    update,
)

from app.keyring import SealBroken, keyring
from app.models.sealed_columns import SealedColumn, sealed_columns
from app.services.database.tenant_reads import TENANT_ID, read_tenant_ids, tenants_with_rows
from app.services.database.transactions import lift_timeouts, transaction
from app.services.encryption.key_usage import sealed_with

log = structlog.get_logger()

# Rows that are locked together, for about ten milliseconds.
BATCH = 500
# The number of passes over a column, and the pause between them, to retry locked rows.
PASSES, PAUSE_SECONDS = 20, 0.1


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its key within the tenant, its ciphertext, and the values it is bound to."""

    key: Any
    sealed: str
    bound_to: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of an encrypted column in one tenant, or all rows of a table without tenants."""

    sealed: SealedColumn
    tenant_id: UUID | None

    @property
    def conditions(self) -> Sequence[ColumnElement[bool]]:
        column = self.sealed.tenant_id
        return () if column is None else (column == self.tenant_id,)


def rotate_keys() -> Iterator[int]:
    """Re-encrypt all rows, and yield the number of changed rows after each committed batch.

    Rows that cannot be decrypted, because the key is missing or the ciphertext is damaged, are not
    changed. An error does not stop the rotation of other tenants and columns. The first error is
    raised at the end.
    """
    failures: list[Exception] = []
    for one in sealed_columns():
        try:
            yield from _rotate(one, failures)
        except Exception as error:
            failures.append(error)
    if failures:
        raise failures[0]


def _rotate(one: SealedColumn, failures: list[Exception]) -> Iterator[int]:
    with transaction() as db:
        tenants = read_tenant_ids(db)
    for _ in range(PASSES):
        missed: list[UUID | None] = []
        for part in _unfinished(one, tenants):
            try:
                for changed, skipped in _rotate_part(part):
                    if skipped:
                        missed.append(part.tenant_id)
                    yield changed
            except Exception as error:
                failures.append(error)
                log.error("key_rotation_failed", column=one.name, tenant=part.tenant_id)
        if not missed:
            return
        tenants = [tenant_id for tenant_id in tenants if tenant_id in missed]
        time.sleep(PAUSE_SECONDS)


def _unfinished(one: SealedColumn, tenants: Sequence[UUID]) -> Iterator[Part]:
    """Yield a part per tenant with rows under older keys, or one for a table without tenants."""
    if one.tenant_id is None:
        yield Part(one, None)
        return
    some = _old_rows(one).where(one.tenant_id == TENANT_ID).limit(1)
    for tenant_id in tenants_with_rows(some, tenants):
        yield Part(one, tenant_id)


def _rotate_part(part: Part) -> Iterator[tuple[int, int]]:
    """Yield the numbers of changed rows and of skipped, locked rows of each batch."""
    for rows in _batches(part):
        fresh = _resealed(part.sealed, rows)
        changed = _write(part, fresh)
        yield changed, len(fresh) - changed


def _old_rows(one: SealedColumn) -> Select[Any]:
    is_old = (one.column.is_not(None), ~sealed_with(one, keyring().first))
    return select(one.key, one.column, *one.bound_to).where(*is_old)


def _batches(part: Part) -> Iterator[Sequence[Row]]:
    """Yield the remaining rows in batches, ordered by key, without locking them."""
    one = part.sealed
    wanted = _old_rows(one).where(*part.conditions).order_by(one.key).limit(BATCH)
    after: Any = None
    while True:
        with transaction() as db:
            lift_timeouts(db)
            beyond = wanted if after is None else wanted.where(one.key > after)
            rows = [Row(key, sealed, bound) for key, sealed, *bound in db.execute(beyond)]
        if not rows:
            return
        yield rows
        after = rows[-1].key


def _resealed(one: SealedColumn, rows: Sequence[Row]) -> list[tuple[Any, str, str]]:
    """Return the key, old and new ciphertext of each row that can be decrypted."""
    fresh = []
    for row in rows:
        with suppress(SealBroken):
            new = one.sealed.reseal(row.sealed, one.model, row.bound_to)
            fresh.append((row.key, row.sealed, new))
    return fresh


def _write(part: Part, fresh: Sequence[tuple[Any, str, str]]) -> int:
    """Replace each ciphertext that is unchanged since it was read. Return the number of rows.

    Locked rows are skipped and retried later, because a batch that waits for a lock while it holds
    others could deadlock with a login. FOR NO KEY UPDATE does not block foreign key checks.
    """
    if not fresh:
        return 0
    one = part.sealed
    keys, olds, news = (list(values) for values in zip(*fresh, strict=True))
    keys_given = literal(keys, ARRAY(one.key.type))
    given = func.unnest(
        keys_given, literal(olds, ARRAY(Text)), literal(news, ARRAY(Text))
    ).table_valued(column("key", one.key.type), column("old", Text), column("new", Text))
    rows = given.render_derived(name="given")
    mine = select(one.key).where(*part.conditions, one.key == any_(keys_given))
    free = mine.with_for_update(key_share=True, skip_locked=True).cte("free")
    unchanged = (one.key == rows.c.key, one.column == rows.c.old)
    is_free = one.key.in_(select(free.c[one.key.name]))
    writing = update(one.model).where(*part.conditions, *unchanged, is_free)
    with transaction() as db:
        done = db.execute(
            writing.values({one.column: rows.c.new}),
            execution_options={"synchronize_session": False},
        )
        return int(done.rowcount)  # type: ignore[attr-defined]

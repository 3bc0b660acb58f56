"""Key rotation: re-encrypt rows of older keys with the first key, while the service runs.

No state is stored between batches. The remaining rows are those that the first key did not encrypt.
A rotation can therefore be stopped and restarted, and two can run at the same time.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, Text, any_, column, func, literal, select, update

from app.keyring import SealBroken, keyring
from app.models.sealed_columns import SealedColumn, sealed_columns
from app.services.database.transactions import lift_timeouts, transaction
from app.services.encryption.key_usage import sealed_with

# Rows that are locked together, for about ten milliseconds.
BATCH = 500
# The number of passes over a column, and the pause between them, to retry locked rows.
PASSES, PAUSE_SECONDS = 20, 0.1


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its primary key, its ciphertext, and the values that the ciphertext is bound to."""

    key: Any
    sealed: str
    bound_to: Sequence[Any]


def rotate_keys() -> Iterator[int]:
    """Re-encrypt all rows, and yield the number of changed rows after each committed batch.

    Rows that cannot be decrypted, because the key is missing or the ciphertext is damaged, are not
    changed.
    """
    for one in sealed_columns():
        yield from _rotate(one)


def _rotate(one: SealedColumn) -> Iterator[int]:
    for _ in range(PASSES):
        missed = 0
        for rows in _batches(one):
            fresh = _resealed(one, rows)
            changed = _write(one, fresh)
            missed += len(fresh) - changed
            yield changed
        if not missed:
            return
        time.sleep(PAUSE_SECONDS)


def _batches(one: SealedColumn) -> Iterator[Sequence[Row]]:
    """Yield the remaining rows in batches, by primary key, without locking them."""
    old = (one.column.is_not(None), ~sealed_with(one, keyring().first))
    wanted = select(one.key, one.column, *one.bound_to).where(*old).order_by(one.key).limit(BATCH)
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
    """Return the primary key, old and new ciphertext of each row that can be decrypted."""
    fresh = []
    for row in rows:
        with suppress(SealBroken):
            new = one.sealed.reseal(row.sealed, one.model, row.bound_to)
            fresh.append((row.key, row.sealed, new))
    return fresh


def _write(one: SealedColumn, fresh: Sequence[tuple[Any, str, str]]) -> int:
    """Replace each ciphertext that is unchanged since it was read. Return the number of rows.

    Locked rows are skipped and retried later, because a batch that waits for a lock while it holds
    others could deadlock with a login. FOR NO KEY UPDATE does not block foreign key checks.
    """
    if not fresh:
        return 0
    keys, olds, news = (list(part) for part in zip(*fresh, strict=True))
    given = func.unnest(
        literal(keys, ARRAY(one.key.type)), literal(olds, ARRAY(Text)), literal(news, ARRAY(Text))
    ).table_valued(column("key", one.key.type), column("old", Text), column("new", Text))
    rows = given.render_derived(name="given")
    mine = select(one.key).where(one.key == any_(literal(keys, ARRAY(one.key.type))))
    free = mine.with_for_update(key_share=True, skip_locked=True).cte("free")
    unchanged = (one.key == rows.c.key, one.column == rows.c.old)
    writing = update(one.model).where(*unchanged, one.key.in_(select(free.c[one.key.name])))
    with transaction() as db:
        done = db.execute(
            writing.values({one.column: rows.c.new}),
            execution_options={"synchronize_session": False},
        )
        return int(done.rowcount)  # type: ignore[attr-defined]

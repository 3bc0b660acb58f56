"""Primary keys and unique constraints that are replaced while requests use the table."""

from collections.abc import Sequence
from typing import Any

from alembic import op
from sqlalchemy import Row, text

from migrations.online.indexes import create_index
from migrations.online.locks import lock_tables
from migrations.online.transactions import commit, is_new_database

PRIMARY_KEY = text(
    """
    SELECT array_agg(attname::text ORDER BY place) FROM pg_index
    CROSS JOIN unnest(indkey::int2[]) WITH ORDINALITY AS key (number, place)
    JOIN pg_attribute ON attrelid = indrelid AND attnum = number
    WHERE indrelid = to_regclass(:table) AND indisprimary
    """
)
EXISTS = text(
    "SELECT count(*) FROM pg_constraint WHERE conrelid = to_regclass(:table) AND conname = :name"
)
# The foreign keys that use an index of one of these constraints.
REFERRING = text(
    """
    SELECT conname AS name, conrelid::regclass::text AS table, convalidated AS is_valid,
        pg_get_constraintdef(oid) AS definition
    FROM pg_constraint WHERE contype = 'f' AND confrelid = to_regclass(:table) AND conindid IN (
        SELECT conindid FROM pg_constraint
        WHERE conrelid = to_regclass(:table) AND conname = ANY(:names) AND contype IN ('p', 'u')
    )
    """
)


def replace_primary_key(table: str, columns: Sequence[str], unique: str | None = None) -> None:
    """Give a table another primary key, and drop a unique constraint with the same columns.

    The index is built concurrently. One transaction exchanges the keys and the foreign keys that
    refer to the dropped ones, which are validated after the revision. Commits what the revision has
    done so far.
    """
    bind, name, index = op.get_bind(), f"pk_{table}", f"pk_{table}_built"
    if bind.scalar(PRIMARY_KEY, {"table": table}) == list(columns):
        return
    create_index(index, table, columns, unique=True)
    names = [name] if unique is None else [name, unique]
    referring = bind.execute(REFERRING, {"table": table, "names": names}).all()
    lock_tables(table, *{one.table for one in referring})
    for one in referring:
        op.execute(f"ALTER TABLE {one.table} DROP CONSTRAINT {one.name}")
    for dropped in names:
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {dropped}")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} PRIMARY KEY USING INDEX {index}")
    for one in referring:
        op.execute(f"ALTER TABLE {one.table} ADD CONSTRAINT {one.name} {_definition(one)}")
    commit()


def drop_unique(name: str, table: str) -> None:
    """Drop a unique constraint, if it exists. Commits what the revision has done so far."""
    if op.get_bind().scalar(EXISTS, {"table": table, "name": name}):
        lock_tables(table)
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        commit()


def _definition(foreign_key: Row[Any]) -> str:
    definition: str = foreign_key.definition
    is_validated_later = foreign_key.is_valid and not is_new_database()
    return f"{definition} NOT VALID" if is_validated_later else definition

"""Constraints that are added without reading the table under a lock."""

from collections.abc import Callable, Sequence
from functools import partial

from alembic import op
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from migrations.online.indexes import create_index
from migrations.online.locks import (
    LOCK_ORDER,
    OF_REQUESTS,
    QUIET_LOCK_SECONDS,
    Blocked,
    is_blocked,
    lock_tables,
    retry,
)
from migrations.online.transactions import MigrationStopped, commit, is_new_database, say

EXISTS = text(
    "SELECT count(*) FROM pg_constraint WHERE conrelid = to_regclass(:table) AND conname = :name"
)
NOT_VALIDATED = text(
    """
    SELECT relname AS table, conname AS name FROM pg_constraint
    JOIN pg_class ON pg_class.oid = conrelid
    WHERE NOT convalidated AND contype IN ('c', 'f') AND relname = ANY(:tables)
        AND pg_table_is_visible(conrelid)
    ORDER BY pg_constraint.oid
    """
)
IS_NOT_NULL = text(
    "SELECT attnotnull FROM pg_attribute"
    " WHERE attrelid = to_regclass(:table) AND attname = :column AND NOT attisdropped"
)


def add_check(name: str, table: str, condition: str) -> None:
    """Add a check constraint to a locked table. It is validated after the revision."""
    _add(table, name, f"CHECK ({condition})")


def add_foreign_key(
    name: str, table: str, columns: Sequence[str], referred: str, referred_columns: Sequence[str]
) -> None:
    """Add a foreign key between two locked tables. It is validated after the revision."""
    target = f"{referred} ({', '.join(referred_columns)})"
    _add(table, name, f"FOREIGN KEY ({', '.join(columns)}) REFERENCES {target}")


def _add(table: str, name: str, definition: str) -> None:
    validation = "" if is_new_database() else " NOT VALID"
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}{validation}")


def add_unique(name: str, table: str, columns: Sequence[str]) -> None:
    """Build a unique index concurrently and make it a constraint. Commits like `create_index`."""
    if _exists(table, name):
        return
    create_index(name, table, columns, unique=True)
    lock_tables(table)
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}")
    commit()


def set_not_null(table: str, column: str) -> None:
    """Make a column NOT NULL. Commits what the revision has done so far.

    A validated check constraint proves to PostgreSQL that no value is null. Without it, SET NOT
    NULL would read the table under the lock.
    """
    if op.get_bind().scalar(IS_NOT_NULL, {"table": table, "column": column}):
        return
    proof = f"{table}_{column}_proof"
    if not is_new_database():
        if not _exists(table, proof):
            lock_tables(table)
            add_check(proof, table, f"{column} IS NOT NULL")
            commit()
        validate_constraints(commit)
    lock_tables(table)
    op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL")
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {proof}")
    commit()


def _exists(table: str, name: str) -> bool:
    return bool(op.get_bind().scalar(EXISTS, {"table": table, "name": name}))


def validate_constraints(end_transaction: Callable[[], None]) -> None:
    """Validate the constraints that are not validated yet, each in a transaction of its own.

    Requests read and write the table at the same time. Also validates what an interrupted migration
    has left. Raises MigrationStopped if rows violate a constraint.
    """
    unfinished = op.get_bind().execute(NOT_VALIDATED, {"tables": list(LOCK_ORDER)}).all()
    end_transaction()
    for one in unfinished:
        say(f"  validating {one.name} of {one.table}")
        retry(partial(_validate, one.table, one.name))
        end_transaction()


def _validate(table: str, name: str, _: int) -> None:
    bind = op.get_bind()
    # Conflicts with autovacuum and other schema changes, but not with requests.
    bind.exec_driver_sql(f"SET LOCAL lock_timeout = '{QUIET_LOCK_SECONDS}s'")
    try:
        bind.exec_driver_sql(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
    except OperationalError as error:
        if is_blocked(error):
            raise Blocked([table], OF_REQUESTS) from None
        raise
    except IntegrityError:
        raise MigrationStopped(
            f"Rows of {table} violate {name}, which new rows already satisfy. Correct these rows"
            f" and run `db upgrade` again. / {table} 中有数据违反约束 {name}（新数据已受其约束）。"
            "请修正这些数据后重新执行 db upgrade。"
        ) from None

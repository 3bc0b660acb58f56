"""Indexes that are built and dropped while requests read and write the table."""

from collections.abc import Callable, Sequence

from alembic import op
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from migrations.online.locks import is_blocked
from migrations.online.progress import show_progress
from migrations.online.transactions import (
    MigrationStopped,
    commit,
    is_new_database,
    outside_transaction,
    say,
)

# Building and dropping wait until the transactions that use the table have ended. Requests do not
# wait for this, so the bound may be long.
WAIT_SECONDS = 300
TRIES = 3
# The name of a new index until it replaces the index of the same name.
SPARE = "{}_new"
LONGEST_NAME = 63

STATE = text(
    """
    SELECT indisvalid AS is_valid, indisunique AS is_unique, relname AS table,
        pg_get_indexdef(indexrelid) AS definition
    FROM pg_index JOIN pg_class ON pg_class.oid = indrelid WHERE indexrelid = to_regclass(:name)
    """
)


def create_index(
    name: str,
    table: str,
    columns: Sequence[str],
    *,
    where: str | None = None,
    unique: bool = False,
) -> None:
    """Build an index concurrently. Commits what the revision has done so far.

    `columns` are names or SQL expressions. An index that has this name and another definition is
    replaced when the new index is complete. A complete index with this definition is kept.
    """
    on = f"{table} ({', '.join(columns)}){f' WHERE {where}' if where else ''}"
    create = f"CREATE {'UNIQUE ' if unique else ''}INDEX"
    if is_new_database():
        op.execute(f"DROP INDEX IF EXISTS {name}")
        op.execute(f"{create} {name} ON {on}")
        return
    spare = SPARE.format(name)
    if len(spare) > LONGEST_NAME:
        raise ValueError(f"{name} is too long")
    wanted = _definition(create, table, on)
    with outside_transaction() as bind:
        _drop_unless_valid(bind, name, spare)
        if _is_valid(bind, name, table, wanted):
            say(f"  {name} exists")
        elif _exists(bind, name) or _exists(bind, spare):
            _replace(bind, name, table, wanted, f"{create} CONCURRENTLY {spare} ON {on}")
        else:
            _build(bind, name, f"{create} CONCURRENTLY {name} ON {on}")


def drop_index(name: str) -> None:
    """Drop an index concurrently, if it exists. Commits what the revision has done so far."""
    if is_new_database():
        op.execute(f"DROP INDEX IF EXISTS {name}")
        return
    with outside_transaction() as bind:
        _drop(bind, name)


def _definition(create: str, table: str, on: str) -> tuple[bool, str]:
    """Return how PostgreSQL writes the definition, without the names of the index and the table."""
    bind = op.get_bind()
    sample = bind.begin_nested()
    bind.exec_driver_sql(f"CREATE TEMPORARY TABLE index_sample (LIKE {table})")
    bind.exec_driver_sql(f"{create} index_sample_index ON {on.replace(table, 'index_sample', 1)}")
    state = bind.execute(STATE, {"name": "index_sample_index"}).one()
    sample.rollback()
    commit()
    return _comparable(state)


def _comparable(state: object) -> tuple[bool, str]:
    return state.is_unique, state.definition.partition(" USING ")[2]  # type: ignore[attr-defined]


def _exists(bind: Connection, name: str) -> bool:
    return bind.execute(STATE, {"name": name}).first() is not None


def _is_valid(bind: Connection, name: str, table: str, wanted: tuple[bool, str]) -> bool:
    state = bind.execute(STATE, {"name": name}).first()
    return state is not None and state.table == table and _comparable(state) == wanted


def _drop_unless_valid(bind: Connection, *names: str) -> None:
    """Drop what an interrupted run has left."""
    for name in names:
        state = bind.execute(STATE, {"name": name}).first()
        if state is not None and not state.is_valid:
            say(f"  dropping {name}, which an interrupted migration has left incomplete")
            _drop(bind, name)


def _replace(
    bind: Connection, name: str, table: str, wanted: tuple[bool, str], build_spare: str
) -> None:
    spare = SPARE.format(name)
    if not _is_valid(bind, spare, table, wanted):
        _drop(bind, spare)
        _build(bind, spare, build_spare)
    _drop(bind, name)
    bind.exec_driver_sql(f"ALTER INDEX {spare} RENAME TO {name}")


def _build(bind: Connection, name: str, statement: str) -> None:
    def build() -> None:
        _drop_unless_valid(bind, name)
        with show_progress(bind, f"building {name}"):
            bind.exec_driver_sql(statement)

    _retry(bind, name, build)


def _drop(bind: Connection, name: str) -> None:
    def drop() -> None:
        with show_progress(bind, f"dropping {name}"):
            bind.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")

    _retry(bind, name, drop)


def _retry(bind: Connection, name: str, attempt: Callable[[], None]) -> None:
    """Call `attempt` until it does not wait longer than `WAIT_SECONDS` for other transactions."""
    before = bind.exec_driver_sql("SHOW lock_timeout").scalar_one()
    bind.exec_driver_sql(f"SET lock_timeout = '{WAIT_SECONDS}s'")
    for number in range(1, TRIES + 1):
        try:
            attempt()
        except OperationalError as error:
            if not is_blocked(error):
                raise
            say(f"  {name}: other transactions do not end, try {number} of {TRIES}")
        else:
            bind.exec_driver_sql(f"SET lock_timeout = '{before}'")
            return
    raise MigrationStopped(
        f"{name}: other transactions of the table do not end. End them and run `db upgrade` again."
        f" / {name}：其他事务长时间未结束。请结束这些事务后重新执行 db upgrade。"
    )

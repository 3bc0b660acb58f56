"""Changes and copies of many rows, in batches that requests do not wait for long."""

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from alembic import op
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from migrations.online.keys import PRIMARY_KEY
from migrations.online.locks import Blocked, is_blocked, lock_seconds, retry
from migrations.online.transactions import commit, is_new_database, say

BATCH = 1000
SHOW_SECONDS = 2.0

TENANTS = text("SELECT id FROM tenants ORDER BY id")


def update_in_batches(
    table: str,
    assignments: str,
    where: str,
    *,
    key: str = "id",
    within: str = "true",
    settings: Mapping[str, str] | None = None,
) -> int:
    """Update the rows that match `where`, one transaction per batch. Return their number.

    Commits what the revision has done so far. An interrupted update starts again, so `where` must
    exclude updated rows. `key` is the primary key, or its column after `tenant_id`. Such a table is
    changed tenant by tenant. `within` narrows the rows that are read, for example to those of an
    index. `settings` hold during each batch.
    """
    statement = f"UPDATE {table} SET {assignments} WHERE {{page}} AND ({where})"  # noqa: S608
    return _run(table, statement, key, within, settings or {})


def delete_in_batches(
    table: str,
    where: str,
    *,
    key: str = "id",
    within: str = "true",
    settings: Mapping[str, str] | None = None,
) -> int:
    """Delete the rows that match `where`, like `update_in_batches`."""
    statement = f"DELETE FROM {table} WHERE {{page}} AND ({where})"  # noqa: S608
    return _run(table, statement, key, within, settings or {})


def copy_in_batches(
    source: str,
    target: str,
    columns: Sequence[str],
    where: str = "true",
    *,
    key: str = "id",
    within: str = "true",
) -> int:
    """Copy the rows that match `where` to another table, like `update_in_batches`.

    Rows that the other table already has are skipped, so the copy can be repeated.
    """
    listed = ", ".join(columns)
    rows = f"SELECT {listed} FROM {source} WHERE {{page}} AND ({where})"  # noqa: S608
    statement = f"INSERT INTO {target} ({listed}) {rows} ON CONFLICT DO NOTHING"
    return _run(source, statement, key, within, {})


def _run(table: str, statement: str, key: str, within: str, settings: Mapping[str, str]) -> int:
    if is_new_database():
        return 0
    commit()
    parts = [*_parts(table, within)]
    return sum(_run_part(table, statement, key, part, settings) for part in parts)


def _parts(table: str, within: str) -> Iterator[str]:
    """Yield a condition per tenant for a table whose primary key begins with the tenant.

    The primary key then finds the batches, and a distributed database changes them on one node.
    """
    bind = op.get_bind()
    first, *_ = bind.scalar(PRIMARY_KEY, {"table": table})
    if first != "tenant_id":
        yield within
        return
    for tenant_id in bind.scalars(TENANTS).all():
        yield f"tenant_id = '{tenant_id}' AND ({within})"


def _run_part(
    table: str, statement: str, key: str, within: str, settings: Mapping[str, str]
) -> int:
    done, after, shown_at = 0, None, time.monotonic()
    while (last := _end_of_page(table, key, within, after)) is not None:
        page = f"{key} <= :last AND ({within})" + ("" if after is None else f" AND {key} > :after")
        change = text(statement.format(page=page))
        values = {"last": last} | ({} if after is None else {"after": after})
        counts: list[int] = []
        retry(partial(_change, table, change, values, settings, counts))
        commit()
        done, after = done + counts[-1], last
        if time.monotonic() - shown_at > SHOW_SECONDS:
            say(f"  {table}: {done} rows changed")
            shown_at = time.monotonic()
    return done


def _end_of_page(table: str, key: str, within: str, after: object) -> object:
    """Return the last primary key of the next batch, or None at the end."""
    beyond = "" if after is None else f" AND {key} > :after"
    page = f"SELECT {key} FROM {table} WHERE ({within}){beyond} ORDER BY {key} LIMIT {BATCH}"  # noqa: S608
    last = text(f"SELECT {key} FROM ({page}) AS page ORDER BY {key} DESC LIMIT 1")  # noqa: S608
    found: object = op.get_bind().scalar(last, {} if after is None else {"after": after})
    return found


def _change(
    table: str,
    change: object,
    values: Mapping[str, object],
    settings: Mapping[str, str],
    counts: list[int],
    _: int,
) -> None:
    bind = op.get_bind()
    # Shorter than `deadlock_timeout`, so a request is never the victim of a deadlock.
    waits = {"lock_timeout": f"{int(lock_seconds(bind) * 1000)}ms"}
    for name, value in (waits | dict(settings)).items():
        # SET also reaches the other nodes of a distributed database, set_config does not.
        bind.exec_driver_sql(f"SET LOCAL {name} = '{value}'")
    try:
        counts.append(bind.execute(change, values).rowcount)  # type: ignore[call-overload]
    except OperationalError as error:
        if is_blocked(error):
            raise Blocked([table]) from None
        raise

"""Progress of a long statement, read through a second connection."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from migrations.online.transactions import say

# Statements that end sooner show nothing.
INTERVAL_SECONDS = 2.0

READ = text(
    """
    SELECT phase, 100 * coalesce(nullif(blocks_done, 0), tuples_done)
        / coalesce(nullif(blocks_total, 0), nullif(tuples_total, 0)) AS percent
    FROM pg_stat_progress_create_index WHERE pid = :pid
    """
)
# Without the text of their statements, which may contain personal data.
BLOCKERS = text(
    """
    SELECT pid, coalesce(nullif(application_name, ''), backend_type, '?') AS name,
        coalesce(state, '?') AS state,
        round(extract(epoch FROM clock_timestamp() - xact_start)) AS seconds
    FROM pg_stat_activity WHERE pid = ANY(pg_blocking_pids(:pid)) LIMIT 1
    """
)


@contextmanager
def show_progress(bind: Connection, what: str) -> Iterator[None]:
    """Show the progress of the statement that the block executes on `bind`."""
    pid = bind.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    ended = Event()
    watching = Thread(target=_watch, args=(bind.engine, pid, what, ended), daemon=True)
    watching.start()
    try:
        yield
    finally:
        ended.set()
        watching.join()


def _watch(engine: Engine, pid: int, what: str, ended: Event) -> None:
    shown = ""
    while not ended.wait(INTERVAL_SECONDS):
        # The migration does not depend on what is shown about it.
        with suppress(SQLAlchemyError), engine.connect() as connection:
            now = _describe(connection, pid)
            if now != shown:
                shown = now
                say(f"  {what}: {now}")


def _describe(connection: Connection, pid: int) -> str:
    blocker = connection.execute(BLOCKERS, {"pid": pid}).first()
    if blocker is not None:
        return (
            f"waiting for pid {blocker.pid}, {blocker.name}, {blocker.state},"
            f" transaction open for {blocker.seconds or 0} s"
        )
    state = connection.execute(READ, {"pid": pid}).first()
    if state is None:
        return "running"
    return state.phase if state.percent is None else f"{state.phase}, {state.percent} %"

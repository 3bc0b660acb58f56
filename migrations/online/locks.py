"""Table locks that requests do not wait for long, and that never deadlock with requests."""

import time
from collections.abc import Callable, Sequence
from functools import partial

from alembic import op
from psycopg.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from migrations.online.transactions import MigrationStopped, is_new_database, say

# The advisory lock of the process that migrates or distributes the database: "wxpass", 1.
MIGRATING = 0x77787061737301
# The order in which most transactions of the service lock tables for writing. With another order, a
# migration would hold a table that a transaction needs while it waits for a table that this
# transaction has locked. The waits are too short for a deadlock, but the migration would have to
# try again more often.
# Transactions of operators lock the operator before what the operator changes (services/operators).
# Logins and bindings are prepared statements that write to `login_sessions` and have CTEs for the
# other tables. PostgreSQL locks the tables of the CTEs afterwards, in the order of the CTEs. The
# rows are locked in the order identity, phone, user. Erasure and the other services follow it.
# Apps and tenants follow, because logins lock them last, to check the foreign keys of new rows.
LOCK_ORDER = (
    *("idempotent_requests", "operators", "operator_sessions", "operator_recovery_codes"),
    *("people_imports", "wechat_pushes", "login_sessions", "social_accounts", "phones", "users"),
    *("audit_events", "platform_audit_events", "code_exchanges", "session_keys"),
    *("password_tries", "merges"),
    *("daily_counts", "daily_failures", "answer_times", "minute_counts", "minute_failures"),
    *("wechat_access_tokens", "app_claims"),
    *("verification_budgets", "wechat_apps", "tenants", "signing_keys", "key_proofs"),
    *("schema_compatibility", "job_runs", "alerts", "alert_channels", "alert_deliveries"),
    *("alert_mutes", "alert_leases", "alert_signals"),
)
# Logins lock these tables in different orders, but `login_sessions` before them. A migration that
# locks several of them locks `login_sessions` too.
GATE = "login_sessions"
BEHIND_GATE = {"social_accounts", "phones", "users", "audit_events", "code_exchanges"}
# All locks of one attempt are taken within this time. A request that waits for one of them looks
# for a deadlock only after PostgreSQL's `deadlock_timeout`, which is 1 s by default.
LOCK_SECONDS = 0.5
SPIN_SECONDS = 0.001
# A lock that requests do not wait for. Longer than `deadlock_timeout`, after which PostgreSQL
# cancels an autovacuum of the table.
QUIET_LOCK_SECONDS = 10.0
TRIES = 60
READS = ("AccessShareLock", "RowShareLock")
OF_REQUESTS = (*READS, "RowExclusiveLock")
LONGEST_PAUSE_SECONDS = 2.0

# The sessions that hold a lock on a table. Without the text of their statements, which may contain
# personal data.
HOLDERS = text(
    """
    SELECT DISTINCT activity.pid, coalesce(nullif(application_name, ''), backend_type, '?') AS name,
        coalesce(state, backend_type, '?') AS state,
        round(extract(epoch FROM clock_timestamp() - xact_start)) AS seconds
    FROM pg_locks JOIN pg_stat_activity AS activity USING (pid)
    WHERE relation::regclass::text = ANY(:tables) AND granted AND activity.pid <> pg_backend_pid()
        AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (mode <> ALL(:harmless))
    ORDER BY seconds DESC NULLS LAST LIMIT 5
    """
)


def lock_tables(*tables: str, only_writes: bool = False) -> None:
    """Lock tables for the rest of the transaction.

    Lock every table that the transaction changes, and every table that a new or dropped foreign key
    refers to. The lock is ACCESS EXCLUSIVE, so no later statement needs a stronger one. With
    `only_writes` it is SHARE ROW EXCLUSIVE, which reads do not wait for. It is enough for triggers
    and new foreign keys. Requests wait at most `LOCK_SECONDS` for an attempt. Raises
    MigrationStopped after `TRIES` attempts.
    """
    if unknown := set(tables) - set(LOCK_ORDER):
        raise ValueError(f"add to LOCK_ORDER of {__name__}: {', '.join(sorted(unknown))}")
    if is_new_database():
        return
    ordered = sorted(tables, key=LOCK_ORDER.index)
    # First a lock that conflicts with autovacuum and other schema changes, but not with requests.
    retry(lambda _: _lock(ordered, "SHARE UPDATE EXCLUSIVE", QUIET_LOCK_SECONDS, OF_REQUESTS))
    seconds = lock_seconds(op.get_bind())
    retry(partial(_lock_in_time, ordered, seconds, only_writes))
    # The attempt has left the rest of its time as the limit.
    op.get_bind().exec_driver_sql(f"SET LOCAL lock_timeout = {int(seconds * 1000)}")


def _lock_in_time(tables: list[str], seconds: float, only_writes: bool, number: int) -> None:
    """Lock the tables against writes, and then against reads.

    Writes lock the tables in `LOCK_ORDER`, but reads in any order. A read that holds one table and
    waits for another would block the migration. So several tables are locked without waiting, at a
    moment when no read uses them. Every second attempt waits, because there may be no such moment.
    """
    deadline = time.monotonic() + seconds
    gate = [GATE] if len(BEHIND_GATE.intersection(tables)) > 1 and GATE not in tables else []
    _lock([*gate, *tables], "SHARE ROW EXCLUSIVE", seconds, READS)
    if only_writes:
        return
    if len(tables) == 1 or number % 2 == 0:
        _lock(tables, "ACCESS EXCLUSIVE", deadline - time.monotonic(), ())
        return
    while not _lock_without_waiting(tables):
        if time.monotonic() > deadline:
            raise Blocked(tables, ())
        time.sleep(SPIN_SECONDS)


def lock_seconds(connection: Connection) -> float:
    """Return LOCK_SECONDS, or half of the server's `deadlock_timeout` if that is shorter."""
    setting = text("SELECT setting::float / 1000 FROM pg_settings WHERE name = 'deadlock_timeout'")
    return min(LOCK_SECONDS, float(connection.scalar(setting) or 1) / 2)


class Blocked(Exception):
    """A lock was not available in time. `harmless` are the lock modes that do not block it."""

    def __init__(self, tables: Sequence[str], harmless: Sequence[str] = ()) -> None:
        super().__init__(*tables)
        self.tables, self.harmless = tables, harmless


def _lock(tables: list[str], mode: str, seconds: float, harmless: Sequence[str]) -> None:
    bind, deadline = op.get_bind(), time.monotonic() + seconds
    for table in tables:
        left = max(1, int((deadline - time.monotonic()) * 1000))
        try:
            bind.exec_driver_sql(f"SET LOCAL lock_timeout = {left}")
            bind.exec_driver_sql(f"LOCK TABLE {table} IN {mode} MODE")
        except OperationalError as error:
            if is_blocked(error):
                raise Blocked([table], harmless) from None
            raise


def _lock_without_waiting(tables: list[str]) -> bool:
    savepoint = op.get_bind().begin_nested()
    statement = f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE NOWAIT"
    try:
        op.get_bind().exec_driver_sql(statement)
    except OperationalError as error:
        savepoint.rollback()
        if is_blocked(error):
            return False
        raise
    savepoint.commit()
    return True


def is_blocked(error: OperationalError) -> bool:
    """Return whether a statement failed because another session holds a lock."""
    return isinstance(error.orig, LockNotAvailable | DeadlockDetected)


def retry(attempt: Callable[[int], None]) -> None:
    """Call `attempt` with its number in a savepoint until it does not raise Blocked.

    The rollback to the savepoint releases the locks of the attempt, so requests continue during the
    pause before the next one. Raises MigrationStopped after `TRIES` attempts.
    """
    bind = op.get_bind()
    for number in range(1, TRIES + 1):
        savepoint = bind.begin_nested()
        try:
            attempt(number)
        except Blocked as blocked:
            savepoint.rollback()
            holders = describe_holders(bind, blocked)
            tables = ", ".join(blocked.tables)
            if number == TRIES:
                raise MigrationStopped(_explain(tables, holders)) from None
            say(f"  waiting for {tables}, try {number} of {TRIES}; {'; '.join(holders)}")
            time.sleep(min(LONGEST_PAUSE_SECONDS, number * 0.1))
        else:
            savepoint.commit()
            return


def describe_holders(bind: Connection, blocked: Blocked) -> list[str]:
    """Describe the sessions that hold a lock on a table, the oldest transaction first."""
    # Without this, PostgreSQL returns the sessions that the transaction has read first.
    bind.exec_driver_sql("SELECT pg_stat_clear_snapshot()")
    where = {"tables": list(blocked.tables), "harmless": list(blocked.harmless)}
    found = [
        f"pid {one.pid}, {one.name}, {one.state}, transaction open for {one.seconds or 0} s"
        for one in bind.execute(HOLDERS, where)
    ]
    return found or ["no session holds it any more"]


def _explain(tables: str, holders: list[str]) -> str:
    return "\n".join(
        [
            f"Cannot lock {tables}: other sessions use it.",
            f"无法锁定表 {tables}：正被其他会话占用。",
            *(f"  {holder}" for holder in holders),
            "The database is still at its previous revision. End these transactions, for example",
            "with SELECT pg_terminate_backend(pid), and run `db upgrade` again. It continues here.",
            "数据库仍停留在上一修订版本。请结束上述事务后重新执行 db upgrade，迁移将从此处继续。",
        ]
    )

"""Table locks that requests do not wait for long, and that never deadlock with requests."""

import time
from collections.abc import Callable
from functools import partial

from alembic import op
from psycopg.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from migrations.online.transactions import MigrationStopped, is_new_database, say

# The order in which transactions of the service lock tables. With another order, a migration would
# hold a table that a transaction needs while it waits for a table that this transaction has locked.
# The waits are too short for a deadlock, but the migration would have to try again more often.
# Transactions of operators lock the operator before what the operator changes (services/operators).
# Every login, binding and erasure locks identities, phones, users and sessions in this order.
# Apps and tenants follow, because logins lock them last, to check the foreign keys of new rows.
LOCK_ORDER = (
    *("idempotent_requests", "operators", "operator_sessions", "operator_recovery_codes"),
    *("people_imports", "wechat_pushes", "social_accounts", "phones", "users", "password_tries"),
    *("code_exchanges", "session_keys", "login_sessions", "merges", "audit_events"),
    *("daily_counts", "daily_failures", "answer_times", "wechat_access_tokens", "app_claims"),
    *("verification_budgets", "wechat_apps", "tenants", "signing_keys", "key_proofs"),
    "schema_compatibility",
)
# All locks of one attempt are taken within this time. A request that waits for one of them looks
# for a deadlock only after PostgreSQL's `deadlock_timeout`, which is 1 s by default.
LOCK_SECONDS = 0.5
# A lock that requests do not wait for. Longer than `deadlock_timeout`, after which PostgreSQL
# cancels an autovacuum of the table.
QUIET_LOCK_SECONDS = 10.0
TRIES = 60
OF_REQUESTS = ("AccessShareLock", "RowShareLock", "RowExclusiveLock")
LONGEST_PAUSE_SECONDS = 2.0

# The sessions that hold a lock on a table. Without the text of their statements, which may contain
# personal data.
HOLDERS = text(
    """
    SELECT DISTINCT activity.pid, coalesce(nullif(application_name, ''), backend_type, '?') AS name,
        coalesce(state, backend_type, '?') AS state,
        round(extract(epoch FROM clock_timestamp() - xact_start)) AS seconds
    FROM pg_locks JOIN pg_stat_activity AS activity USING (pid)
    WHERE relation = to_regclass(:table) AND granted AND activity.pid <> pg_backend_pid()
        AND (mode <> ALL(:harmless))
    ORDER BY seconds DESC NULLS LAST LIMIT 5
    """
)


def lock_tables(*tables: str) -> None:
    """Lock tables for the rest of the transaction, in the order of the service's transactions.

    The lock is ACCESS EXCLUSIVE, so no later statement needs a stronger one. Lock every table that
    the transaction changes, and every table that a new or dropped foreign key refers to. Requests
    wait at most `LOCK_SECONDS` for an attempt. Raises MigrationStopped after `TRIES` attempts.
    """
    if unknown := set(tables) - set(LOCK_ORDER):
        raise ValueError(f"add to LOCK_ORDER of {__name__}: {', '.join(sorted(unknown))}")
    if is_new_database():
        return
    ordered = sorted(tables, key=LOCK_ORDER.index)
    # First a lock that conflicts with autovacuum and other schema changes, but not with requests.
    for mode, seconds in (
        ("SHARE UPDATE EXCLUSIVE", QUIET_LOCK_SECONDS),
        ("ACCESS EXCLUSIVE", lock_seconds(op.get_bind())),
    ):
        retry(partial(_lock, ordered, mode, seconds))


def lock_seconds(connection: Connection) -> float:
    """Return LOCK_SECONDS, or half of the server's `deadlock_timeout` if that is shorter."""
    setting = text("SELECT setting::float / 1000 FROM pg_settings WHERE name = 'deadlock_timeout'")
    return min(LOCK_SECONDS, float(connection.scalar(setting) or 1) / 2)


class Blocked(Exception):
    """A lock was not available in time. `harmless` are the lock modes that do not block it."""

    def __init__(self, table: str, harmless: tuple[str, ...] = ()) -> None:
        super().__init__(table)
        self.table, self.harmless = table, harmless


def _lock(tables: list[str], mode: str, seconds: float) -> None:
    bind, deadline = op.get_bind(), time.monotonic() + seconds
    for table in tables:
        left = max(1, int((deadline - time.monotonic()) * 1000))
        try:
            bind.exec_driver_sql(f"SET LOCAL lock_timeout = {left}")
            bind.exec_driver_sql(f"LOCK TABLE {table} IN {mode} MODE")
        except OperationalError as error:
            if is_blocked(error):
                raise Blocked(table, () if mode == "ACCESS EXCLUSIVE" else OF_REQUESTS) from None
            raise


def is_blocked(error: OperationalError) -> bool:
    """Return whether a statement failed because another session holds a lock."""
    return isinstance(error.orig, LockNotAvailable | DeadlockDetected)


def retry(attempt: Callable[[], None]) -> None:
    """Call `attempt` in a savepoint until it does not raise Blocked.

    The rollback to the savepoint releases the locks of the attempt, so requests continue during the
    pause before the next one. Raises MigrationStopped after `TRIES` attempts.
    """
    bind = op.get_bind()
    for number in range(1, TRIES + 1):
        savepoint = bind.begin_nested()
        try:
            attempt()
        except Blocked as blocked:
            savepoint.rollback()
            holders = describe_holders(bind, blocked)
            if number == TRIES:
                raise MigrationStopped(_explain(blocked.table, holders)) from None
            say(f"  waiting for {blocked.table}, try {number} of {TRIES}; {'; '.join(holders)}")
            time.sleep(min(LONGEST_PAUSE_SECONDS, number * 0.1))
        else:
            savepoint.commit()
            return


def describe_holders(bind: Connection, blocked: Blocked) -> list[str]:
    """Describe the sessions that hold a lock on a table, the oldest transaction first."""
    where = {"table": blocked.table, "harmless": list(blocked.harmless)}
    found = [
        f"pid {one.pid}, {one.name}, {one.state}, transaction open for {one.seconds or 0} s"
        for one in bind.execute(HOLDERS, where)
    ]
    return found or ["no session holds it any more"]


def _explain(table: str, holders: list[str]) -> str:
    return "\n".join(
        [
            f"Cannot lock the table {table}: other sessions use it.",
            f"无法锁定表 {table}：正被其他会话占用。",
            *(f"  {holder}" for holder in holders),
            "The database is still at its previous revision. End these transactions, for example",
            "with SELECT pg_terminate_backend(pid), and run `db upgrade` again. It continues here.",
            "数据库仍停留在上一修订版本。请结束上述事务后重新执行 db upgrade，迁移将从此处继续。",
        ]
    )

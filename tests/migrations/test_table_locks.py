"""Locks of migrations: their order, short waits, retries and explained failures."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from migrations.online import lock_tables, locks
from migrations.online.transactions import MigrationStopped
from tests.fixtures.migrated import MigratedDatabase
from tests.fixtures.waiting import until

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND database IS NOT NULL"


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The messages of the migration."""
    messages: list[str] = []
    monkeypatch.setattr(locks, "say", messages.append)
    return messages


def call_when_waiting(monkeypatch: pytest.MonkeyPatch, action: Callable[[int], object]) -> None:
    """Call `action` with the number of each failed attempt."""
    numbers = iter(range(1, 1000))
    monkeypatch.setattr(locks, "say", lambda message: action(next(numbers)))


def test_tables_are_locked_in_the_order_of_the_transactions_of_the_service(
    database: MigratedDatabase,
) -> None:
    sent: list[str] = []
    with database.revising() as connection:
        event.listen(connection, "before_cursor_execute", lambda *args: sent.append(args[2]))
        lock_tables("tenants", "login_sessions", "users", "social_accounts")
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar_one() == "500ms"
    wanted = [text.split()[2] for text in sent if "SHARE ROW EXCLUSIVE" in text]
    assert wanted == ["login_sessions", "social_accounts", "users", "tenants"]
    assert [text for text in sent if "ACCESS EXCLUSIVE" in text] == [
        "LOCK TABLE login_sessions, social_accounts, users, tenants IN ACCESS EXCLUSIVE MODE NOWAIT"
    ]


def test_reads_continue_while_only_writes_are_locked(database: MigratedDatabase) -> None:
    with database.revising(), database.connect(options="-c lock_timeout=1ms") as request:
        lock_tables("users", "social_accounts", only_writes=True)
        request.execute("SELECT FROM users, social_accounts, login_sessions FOR UPDATE")
        for gate in ("users", "login_sessions"):
            with pytest.raises(psycopg.errors.LockNotAvailable), request.transaction():
                request.execute(f"DELETE FROM {gate}")


def test_a_table_that_lock_order_does_not_contain_is_rejected(database: MigratedDatabase) -> None:
    with database.revising(), pytest.raises(ValueError, match="LOCK_ORDER"):
        lock_tables("users", "user")


def test_a_lock_is_taken_when_the_other_transaction_ends(
    database: MigratedDatabase, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    with database.connect("report") as report, database.revising() as connection:
        report.execute("SELECT FROM users")
        monkeypatch.setattr(
            locks, "say", lambda text: (said.append(text), len(said) == 2 and report.commit())
        )
        lock_tables("users")
        held = connection.exec_driver_sql(
            "SELECT mode FROM pg_locks WHERE relation = 'users'::regclass AND granted"
        )
        assert "AccessExclusiveLock" in {row.mode for row in held}
    assert len(said) == 2
    assert said[1].startswith("  waiting for users, try 2 of 60; pid ")
    assert "report, idle in transaction" in said[1]


def test_requests_use_the_tables_between_two_attempts(
    database: MigratedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rollback to the savepoint releases the lock on `social_accounts`."""

    def use(number: int) -> None:
        with database.connect(options="-c lock_timeout=1ms") as request:
            request.execute("UPDATE social_accounts SET unionid = unionid")
        if number == 3:
            report.commit()

    with database.connect() as report, database.revising():
        report.execute("SELECT FROM users")
        call_when_waiting(monkeypatch, use)
        lock_tables("social_accounts", "users")


def test_a_failed_lock_names_the_sessions_without_their_statements(
    database: MigratedDatabase, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    monkeypatch.setattr(locks, "TRIES", 2)
    with database.connect("report") as report:
        report.execute("SELECT '13800138000' FROM users")
        with database.revising(), pytest.raises(MigrationStopped) as stopped:
            lock_tables("social_accounts", "users")
        message = str(stopped.value)
        assert f"pid {report.info.backend_pid}, report, idle in transaction, " in message
        assert "Cannot lock users: " in message
        assert "13800138000" not in message + str(said)
        assert len(said) == 1


def test_a_request_is_never_the_victim_of_a_deadlock(
    database: MigratedDatabase, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    """It has locked `users`, and needs `social_accounts`, which the migration has locked."""

    def use(request: "psycopg.Connection[Any]") -> None:
        until(lambda: database.rows(WAITING)[0][0])
        request.execute("UPDATE social_accounts SET unionid = unionid")
        request.commit()

    with database.connect() as request, ThreadPoolExecutor() as pool:
        request.execute("UPDATE users SET nickname = nickname")
        using = pool.submit(use, request)
        with database.revising():
            lock_tables("social_accounts", "users")
        using.result()
    assert 1 <= len(said) <= 3


def test_all_locks_of_an_attempt_are_waited_for_no_longer_than_half_the_deadlock_timeout(
    database: MigratedDatabase,
) -> None:
    with database.revising() as connection:
        assert locks.lock_seconds(connection) == 0.5
        connection.exec_driver_sql("SET LOCAL deadlock_timeout = '200ms'")
        assert locks.lock_seconds(connection) == 0.1


def test_requests_continue_while_another_schema_change_is_waited_for(
    database: MigratedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VACUUM holds the same lock."""

    def use(request: "psycopg.Connection[Any]") -> None:
        until(lambda: database.rows(WAITING)[0][0])
        request.execute("UPDATE users SET nickname = nickname")
        request.commit()
        vacuum.commit()

    with (
        database.connect() as vacuum,
        database.connect(options="-c lock_timeout=1ms") as request,
        ThreadPoolExecutor() as pool,
    ):
        vacuum.execute("LOCK TABLE users IN SHARE UPDATE EXCLUSIVE MODE")
        using = pool.submit(use, request)
        with database.revising():
            lock_tables("users")
        using.result()

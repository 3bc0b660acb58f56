"""Migrations 0027 and 0028: audit events of the platform get their own table."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest

from app.models.columns import new_id
from migrations.online import batches, constraints, copy_in_batches
from tests.fixtures.migrated import MigratedDatabase
from tests.fixtures.waiting import until

TENANT = UUID(int=1)
ADD_TENANT = "INSERT INTO tenants (id, slug, name) VALUES (%s, 'a', 'A')"
# An event as the previous release writes it.
WRITE = """
INSERT INTO audit_events (id, tenant_id, actor_kind, actor_id, action, subject, ip, details)
VALUES (%s, %s, 'operator', %s, 'app.released', 'wx1', '192.0.2.1', '{"tenant": "acme"}')
RETURNING created_at
"""
EVENT = "id, actor_kind, actor_id, action, subject, ip, details, created_at"
COLUMNS = EVENT.split(", ")
OF_PLATFORM = f"SELECT {EVENT} FROM audit_events WHERE tenant_id IS NULL ORDER BY id"
OF_TENANT = f"SELECT {EVENT} FROM audit_events WHERE tenant_id IS NOT NULL ORDER BY id"
COPIES = f"SELECT {EVENT} FROM platform_audit_events ORDER BY id"


@pytest.fixture
def previous(empty: MigratedDatabase) -> MigratedDatabase:
    """A database of the previous revision, with events of a tenant and of the platform."""
    empty.upgrade("0026")
    empty.rows(ADD_TENANT, TENANT)
    for tenant in (None, TENANT, None, None, TENANT, None, None):
        write(empty, tenant)
    return empty


def write(database: MigratedDatabase, tenant: UUID | None) -> UUID:
    """Write an event as the previous release does."""
    database.rows(WRITE, event := new_id(), tenant, new_id())
    return event


@contextmanager
def writer(database: MigratedDatabase) -> Iterator[list[UUID]]:
    """Write events of the platform during the block, as a process of the previous release."""
    done, written, failed = threading.Event(), list[UUID](), list[Exception]()

    def run() -> None:
        try:
            with database.connect(autocommit=True) as connection:
                while not done.wait(0.002):
                    connection.execute(WRITE, [event := new_id(), None, new_id()])
                    written.append(event)
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield written
    finally:
        done.set()
        thread.join()
    assert failed == []


def interrupt_upgrade(database: MigratedDatabase, revision: str, progress: str) -> None:
    """Interrupt an upgrade when it reports this progress."""

    def interrupt(message: str) -> None:
        if progress in message:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "SHOW_SECONDS", -1)
        patch.setattr(batches, "say", interrupt)
        with pytest.raises(KeyboardInterrupt):
            database.upgrade(revision)


def test_upgrade_copies_only_the_events_of_the_platform(
    previous: MigratedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH", 2)
    previous.upgrade("0027")
    assert len(previous.rows(COPIES)) == 5
    assert previous.rows(COPIES) == previous.rows(OF_PLATFORM)


def test_events_that_the_previous_release_writes_after_the_upgrade_are_copied(
    previous: MigratedDatabase,
) -> None:
    previous.upgrade("0027")
    event = write(previous, None)
    write(previous, TENANT)
    assert [row[0] for row in previous.rows(COPIES)][-1] == event
    assert previous.rows(COPIES) == previous.rows(OF_PLATFORM)


def test_events_that_the_previous_release_writes_during_the_upgrade_are_copied(
    previous: MigratedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH", 50)
    with writer(previous) as written:
        until(lambda: len(written) > 100)
        previous.upgrade("0027")
        during = len(written)
        until(lambda: len(written) > during + 20)
    assert previous.rows(COPIES) == previous.rows(OF_PLATFORM)
    assert {*written} <= {row[0] for row in previous.rows(COPIES)}


def test_upgrade_after_an_interruption_copies_the_remaining_events(
    previous: MigratedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH", 2)
    interrupt_upgrade(previous, "0027", "audit_events: 2 rows")
    assert len(previous.rows(COPIES)) == 2
    assert previous.revision() == "0026"
    write(previous, None)
    previous.upgrade("0027")
    assert len(previous.rows(COPIES)) == 6
    assert previous.rows(COPIES) == previous.rows(OF_PLATFORM)


def test_copying_can_be_repeated(previous: MigratedDatabase) -> None:
    previous.upgrade("0027")
    copies = previous.rows(COPIES)
    with previous.revising():
        within = "tenant_id IS NULL"
        assert copy_in_batches("audit_events", "platform_audit_events", COLUMNS, within=within) == 0
    assert previous.rows(COPIES) == copies


def test_downgrade_returns_the_events_to_the_previous_release(
    previous: MigratedDatabase,
) -> None:
    previous.upgrade("0027")
    insert = f"INSERT INTO platform_audit_events ({EVENT})"
    previous.rows(
        f"{insert} VALUES (gen_random_uuid(), 'system', NULL, 'x', 'y', NULL, '{{}}', now())"
    )
    events = previous.rows(COPIES)
    previous.downgrade("0026")
    assert previous.rows(OF_PLATFORM) == events
    write(previous, None)
    previous.upgrade("0027")
    assert len(previous.rows(COPIES)) == 7


def test_upgrade_to_0028_deletes_the_copied_events_and_requires_a_tenant(
    previous: MigratedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It first copies the events that have no copy yet."""
    monkeypatch.setattr(batches, "BATCH", 2)
    previous.upgrade("0027")
    previous.rows("ALTER TABLE audit_events DISABLE TRIGGER copy_platform_events")
    missing = write(previous, None)
    previous.rows("ALTER TABLE audit_events ENABLE TRIGGER copy_platform_events")
    of_platform, of_tenant = previous.rows(OF_PLATFORM), previous.rows(OF_TENANT)
    previous.upgrade("0028")
    assert previous.rows(COPIES) == of_platform
    assert of_platform[-1][0] == missing
    assert previous.rows(f"SELECT {EVENT} FROM audit_events ORDER BY id") == of_tenant
    with pytest.raises(psycopg.errors.NotNullViolation):
        write(previous, None)
    for table in ("audit_events", "platform_audit_events"):
        deletion: Any = f"SET wxpass.retention = 'on'; DELETE FROM {table}"
        with pytest.raises(psycopg.errors.RaiseException, match=f"{table} is append only"):
            previous.rows(deletion)


def test_upgrade_to_0028_continues_after_an_interruption_of_the_deletion(
    previous: MigratedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the interruption, the triggers permit no other deletion."""
    monkeypatch.setattr(batches, "BATCH", 2)
    previous.upgrade("0027")
    of_platform, of_tenant = previous.rows(OF_PLATFORM), previous.rows(OF_TENANT)
    interrupt_upgrade(previous, "0028", "audit_events: 2 rows")
    assert len(previous.rows(OF_PLATFORM)) == 3
    for table in ("audit_events WHERE tenant_id IS NOT NULL", "platform_audit_events"):
        deletion: Any = f"SET wxpass.retention = 'on'; DELETE FROM {table}"
        with pytest.raises(psycopg.errors.RaiseException, match="append only"):
            previous.rows(deletion)
    previous.upgrade("0028")
    assert (previous.rows(COPIES), previous.rows(OF_TENANT)) == (of_platform, of_tenant)
    assert previous.rows(OF_PLATFORM) == []


def test_database_rejects_events_without_a_tenant_during_the_upgrade_to_0028(
    previous: MigratedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event whose transaction was open at the beginning is copied."""
    previous.upgrade("0027")
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(constraints, "lock_tables", interrupt)
    with previous.connect() as request, ThreadPoolExecutor() as pool:
        request.execute(WRITE, [event := new_id(), None, new_id()])

        def commit() -> None:
            until(lambda: previous.rows(waiting)[0][0])
            request.commit()

        committing = pool.submit(commit)
        with pytest.raises(KeyboardInterrupt):
            previous.upgrade("0028")
        committing.result()
    assert previous.rows(OF_PLATFORM) == []
    with pytest.raises(psycopg.errors.NotNullViolation, match="belong to platform_audit_events"):
        write(previous, None)
    write(previous, TENANT)
    monkeypatch.undo()
    previous.upgrade("0028")
    assert previous.rows(COPIES)[-1][0] == event


def test_after_the_downgrade_to_0027_events_of_the_previous_release_are_copied_again(
    previous: MigratedDatabase,
) -> None:
    previous.upgrade("0028")
    previous.downgrade("0027")
    event = write(previous, None)
    assert [row[0] for row in previous.rows(OF_PLATFORM)] == [event]
    assert len(previous.rows(COPIES)) == 6


@pytest.mark.parametrize(
    ("age", "change", "is_permitted"),
    [
        (1096, "DELETE FROM {table}", True),
        (1094, "DELETE FROM {table}", False),
        (1, "UPDATE {table} SET ip = NULL", True),
        (1, "UPDATE {table} SET subject = 'other'", False),
        (1, "UPDATE {table} SET details = '{{}}'", False),
        (1, "UPDATE {table} SET details = impersonal_details(action, details)", True),
        (9999, "TRUNCATE {table}", False),
    ],
)
@pytest.mark.parametrize("table", ["audit_events", "platform_audit_events"])
def test_both_tables_permit_the_same_changes_and_only_to_retention(
    database: MigratedDatabase, table: str, age: int, change: str, is_permitted: bool
) -> None:
    statement: Any = change.format(table=table)
    column, value = ("tenant_id, ", f"'{TENANT}', ") if table == "audit_events" else ("", "")
    add: Any = (
        f"INSERT INTO {table} ({column}id, actor_kind, action, subject, ip, details, created_at)"
        f" VALUES ({value}%s, 'operator', 'x', 'y', '192.0.2.1', '{{\"a\": 1}}',"
        " now() - make_interval(days => %s))"
    )
    with database.connect() as connection:
        connection.execute(ADD_TENANT, [TENANT])
        connection.execute(add, [new_id(), age])
        for setting, may_change in (("off", False), ("on", is_permitted)):
            connection.execute("SELECT set_config('wxpass.retention', %s, true)", [setting])
            connection.execute("SAVEPOINT before")
            if may_change:
                assert connection.execute(statement).rowcount == 1
            else:
                with pytest.raises(psycopg.errors.RaiseException, match=f"{table} is append only"):
                    connection.execute(statement)
            connection.execute("ROLLBACK TO before")
        connection.rollback()

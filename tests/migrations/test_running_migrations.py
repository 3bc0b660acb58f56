"""`flask db upgrade`: one process at a time, explained failures, and the stored compatibility."""

import os
import secrets
import subprocess
import sys
from pathlib import Path
from subprocess import Popen

import psycopg
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import event, make_url

from app.extensions import db
from app.settings import MIGRATIONS
from migrations.online import locks
from tests.fixtures.migrated import MigratedDatabase
from tests.fixtures.waiting import until

ROOT = Path(__file__).parents[2]
# "wxpass", 1
ADVISORY_LOCK = 0x77787061737301
HEAD = str(ScriptDirectory(MIGRATIONS).get_current_head())
COMPATIBLE_SINCE = "SELECT compatible_since FROM schema_compatibility"
# The locks that requests wait for, on tables that the running revision has not created.
STRONG_LOCKS = """
SELECT relname FROM pg_locks JOIN pg_class ON pg_class.oid = relation
WHERE pid = pg_backend_pid() AND relkind = 'r' AND relnamespace = 'public'::regnamespace
    AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
"""
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


def start_upgrade(database: MigratedDatabase) -> "Popen[str]":
    """Start `flask db upgrade` in a process of its own."""
    environ = os.environ | {"DATABASE_URL": database.url, "WXPASS_ENV": "development"}
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"]
    pipe = subprocess.PIPE
    return Popen(command, cwd=ROOT, env=environ, text=True, stdout=pipe, stderr=subprocess.STDOUT)


def test_two_upgrades_at_the_same_time_run_one_after_the_other(empty: MigratedDatabase) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'wxpass db'"
    with empty.connect() as first:
        first.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_LOCK])
        processes = [start_upgrade(empty) for _ in range(2)]
        until(lambda: empty.rows(waiting + " AND datname = current_database()") == [(2,)])
        assert empty.rows(TABLES) == []
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert all("Another process migrates this database." in output for output in outputs)
    ran = [f"{HEAD} " in output for output in outputs]
    assert sorted(ran) == [False, True], "the second one finds nothing to do"
    assert empty.revision() == HEAD


def test_a_failed_lock_leaves_the_previous_revision_and_the_next_upgrade_continues(
    empty: MigratedDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    empty.upgrade("0017")
    monkeypatch.setattr(locks, "TRIES", 1)
    with empty.connect("report") as report:
        report.execute("SELECT FROM wechat_apps")
        with pytest.raises(SystemExit) as stopped:
            empty.upgrade()
        assert "wechat_apps: other sessions use it" in str(stopped.value)
        assert f"pid {report.info.backend_pid}, report" in str(stopped.value)
        assert empty.revision() == "0017"
    empty.upgrade()
    assert empty.revision() == HEAD
    assert "0018 Count new WeChat identities" in capsys.readouterr().err
    assert empty.rows(COMPATIBLE_SINCE) == [("0027",)]
    empty.downgrade("0020")
    assert empty.rows("SELECT to_regclass('schema_compatibility')") == [(None,)]


def test_a_database_of_a_later_release_is_refused_with_an_explanation(
    database: MigratedDatabase,
) -> None:
    database.rows("UPDATE alembic_version SET version_num = '9999'")
    try:
        with pytest.raises(SystemExit, match="at revision 9999, which this release does not know"):
            database.upgrade()
    finally:
        database.rows("UPDATE alembic_version SET version_num = '" + HEAD + "'")


def test_a_role_that_does_not_own_the_database_is_explained(empty: MigratedDatabase) -> None:
    role = f"other_{secrets.token_hex(4)}"
    empty.rows(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")  # type: ignore[arg-type]
    empty.rows("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    url = make_url(empty.url).set(username=role, password="x")
    other = MigratedDatabase(empty.app, url.render_as_string(hide_password=False))
    try:
        process = start_upgrade(other)
        output = process.communicate(timeout=60)[0]
    finally:
        empty.rows(f"DROP ROLE {role}")  # type: ignore[arg-type]
    assert process.returncode == 1
    assert (
        "permission denied for schema public. Run `db upgrade` with the DATABASE_URL of the role"
        in output
    )
    assert "Traceback" not in output


def test_a_lost_connection_is_explained(
    database: MigratedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_connection(*arguments: object) -> None:
        database.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'wxpass db' AND datname = current_database()"
        )

    with database.app.app_context():
        event.listen(db.engine, "commit", lose_connection)
        try:
            with pytest.raises(SystemExit, match="The connection to the database was lost"):
                database.upgrade()
        finally:
            event.remove(db.engine, "commit", lose_connection)


def test_the_compatibility_table_has_one_row(database: MigratedDatabase) -> None:
    for only_row, error in (("true", "UniqueViolation"), ("false", "CheckViolation")):
        insert = f"INSERT INTO schema_compatibility VALUES ({only_row}, '0021')"
        with pytest.raises(getattr(psycopg.errors, error)):
            database.rows(insert)


class LockWatch:
    """The tables that a transaction locks without having named them in `lock_tables`."""

    def __init__(self) -> None:
        self.named: set[str] = set()
        self.existing: set[str] = set()
        self.unnamed: set[str] = set()

    def note_statement(self, *arguments: object) -> None:
        """Record the tables of a LOCK TABLE statement."""
        statement = str(arguments[2])
        if statement.startswith("LOCK TABLE"):
            tables = statement.removeprefix("LOCK TABLE ").partition(" IN ")[0]
            self.named |= set(tables.split(", "))

    def check_transaction(self, connection: object) -> None:
        """Compare the locks of the transaction, which is about to commit, with the named tables."""
        cursor = connection.connection.driver_connection.cursor()  # type: ignore[attr-defined]
        held = {name for (name,) in cursor.execute(STRONG_LOCKS).fetchall()}
        self.unnamed |= (held & self.existing) - self.named
        self.existing = {name for (name,) in cursor.execute(TABLES).fetchall()}
        self.named = {"alembic_version"}


def test_each_revision_locks_only_what_it_names_and_a_downgrade_restores_the_previous_schema(
    empty: MigratedDatabase,
) -> None:
    """Without the shortcuts of a new database, the migrations lead to the same schema."""
    empty.upgrade()
    schemas, watch = {HEAD: empty.schema()}, LockWatch()
    with empty.app.app_context():
        event.listen(db.engine, "before_cursor_execute", watch.note_statement)
        event.listen(db.engine, "commit", watch.check_transaction)
    revisions = [f"{number:04}" for number in range(1, int(HEAD) + 1)]
    for revision in reversed(revisions[:-1]):
        empty.downgrade(revision)
        schemas[revision] = empty.schema()
    empty.downgrade("base")
    for revision in revisions:
        empty.upgrade(revision)
        assert empty.schema() == schemas[revision], revision
    assert watch.unnamed == set()

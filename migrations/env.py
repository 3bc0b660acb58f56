"""Alembic environment. One process migrates at a time, with one transaction per revision."""

import logging
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any

import psycopg
from alembic import context
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from flask import current_app
from flask_sqlalchemy import SQLAlchemy
from psycopg.errors import InsufficientPrivilege, LockNotAvailable
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, OperationalError

from app.connections import direct_engine
from app.errors import DatabaseListenUrlWrong
from app.languages import in_both_languages
from app.services.database.server_checks import (
    OPTIONS_REFUSED,
    check_listen_url,
    is_pooled,
)
from migrations.online.constraints import validate_constraints
from migrations.online.locks import LOCK_SECONDS, MIGRATING
from migrations.online.transactions import MigrationStopped, say

POLL_SECONDS = 0.5

# The deadlines of requests do not apply. A statement that waits for a lock that the revision has
# not requested by `lock_tables` fails soon, because requests wait behind it.
SETTINGS = text(
    "SELECT set_config('statement_timeout', '0', false),"
    " set_config('idle_in_transaction_session_timeout', '0', false),"
    " set_config('application_name', 'wxpass db', false),"
    # Without effect on a database that is not distributed.
    " set_config('citus.multi_shard_modify_mode', 'sequential', false),"
    " set_config('citus.enable_unsafe_triggers', 'on', false),"
    f" set_config('lock_timeout', '{int(LOCK_SECONDS * 1000)}', false)"
)
# A pooler would lend the connection, with these settings and the advisory lock, to other clients.
POOLED = (
    "leads to a connection pooler, and migrations need PostgreSQL itself. Set DATABASE_POOLER="
    "transaction, and DATABASE_LISTEN_URL to the address of PostgreSQL. See docs/operations.md. / "
    "指向连接池，而数据库迁移须直连 PostgreSQL。请设置 DATABASE_POOLER=transaction，并将"
    " DATABASE_LISTEN_URL 设为 PostgreSQL 的地址，参见 docs/operations.zh-CN.md。"
)
TAKE_TURN = text("SELECT pg_try_advisory_lock(:lock)")
IS_NEW = text("SELECT to_regclass('alembic_version') IS NULL AND to_regclass('tenants') IS NULL")
WRITE_COMPATIBILITY = text(
    "INSERT INTO schema_compatibility (compatible_since) VALUES (:since)"
    " ON CONFLICT ON CONSTRAINT pk_schema_compatibility"
    " DO UPDATE SET compatible_since = excluded.compatible_since"
)

db: SQLAlchemy = current_app.extensions["migrate"].db


def run() -> None:
    """Run the missing migrations. Exit with a message if one cannot continue."""
    try:
        with connect() as connection:
            try:
                run_on(connection)
            finally:
                # Ends the session, with its settings and its advisory lock.
                connection.invalidate()
    except MigrationStopped as stopped:
        raise SystemExit(str(stopped)) from None
    except DBAPIError as error:
        if explanation := explain(error):
            raise SystemExit(explanation) from None
        raise


def connect() -> Connection:
    """Return a connection that bypasses a pooler. Exit with a message if there is none."""
    engine = direct_engine()
    is_behind_pooler = current_app.config["DATABASE_POOLER"] is not None
    setting = "DATABASE_LISTEN_URL" if is_behind_pooler else "DATABASE_URL"
    try:
        connection = engine.connect()
    except OperationalError as error:
        if OPTIONS_REFUSED in str(error.orig):
            raise SystemExit(f"{setting}: {POOLED}") from None
        url = engine.url.render_as_string(hide_password=True)
        raise SystemExit(f"{setting}: cannot reach {url} / 无法连接数据库\n{error.orig}") from None
    if is_pooled(connection):
        connection.close()
        raise SystemExit(f"{setting}: {POOLED}")
    connection.rollback()
    if is_behind_pooler:
        refuse_another_database(connection)
    return connection


def refuse_another_database(connection: Connection) -> None:
    """Exit with a message if DATABASE_LISTEN_URL leads to another database than DATABASE_URL.

    If DATABASE_URL cannot be reached, the two are not compared.
    """
    with suppress(OperationalError, psycopg.OperationalError):
        try:
            check_listen_url()
        except DatabaseListenUrlWrong as failure:
            connection.close()
            raise SystemExit(f"{failure.about}: {in_both_languages(failure.en)}") from None


def run_on(connection: Connection) -> None:
    """Run the missing migrations."""
    driver: Any = connection.connection.driver_connection
    driver.wait_seconds = None
    connection.execute(SETTINGS)
    connection.commit()
    migrations = configure(connection)
    if not migrations.opts.get("dont_mutate"):
        wait_for_turn(connection)
    is_new = connection.scalar(IS_NEW)
    connection.commit()
    if is_new:
        # No process waits for the locks of a new database, and one transaction is faster.
        connection.begin()
        migrations = configure(connection)
    migrations.opts["new_database"] = is_new
    refuse_unknown_revision(migrations)
    if not is_new:
        connection.commit()
    migrations._migrations_fn = shown(migrations._migrations_fn)
    context.run_migrations()
    connection.commit()


def configure(connection: Connection) -> MigrationContext:
    """Configure Alembic. The caller controls the transaction if it has begun one."""
    context.configure(
        connection,
        target_metadata=db.metadata,
        compare_server_default=True,
        transaction_per_migration=True,
        on_version_apply=write_compatibility,
    )
    return context.get_context()


def wait_for_turn(connection: Connection) -> None:
    """Wait until no other process migrates the database."""
    has_waited = False
    while not connection.scalar(TAKE_TURN, {"lock": MIGRATING}):
        if not has_waited:
            say("Another process migrates this database. Waiting for it to end.")
            say("另一进程正在迁移该数据库，等待其结束。")
            has_waited = True
        connection.commit()
        time.sleep(POLL_SECONDS)


def refuse_unknown_revision(migrations: MigrationContext) -> None:
    """Raise MigrationStopped if a later release has migrated the database."""
    for revision in migrations.get_current_heads():
        try:
            context.script.get_revision(revision)
        except CommandError:
            raise MigrationStopped(
                f"The database is at revision {revision}, which this release does not know. A later"
                " release has migrated it. Use that release, also to downgrade."
                f" / 数据库处于修订版本 {revision}，当前版本无法识别。请使用迁移过它的版本。"
            ) from None


def shown(steps: Any) -> Any:
    """Return a function that shows each step, and validates constraints after its commit."""

    def run_steps(heads: Any, migrations: Any) -> Iterator[Any]:
        end = migrations.connection.commit
        if migrations.opts.get("destination_rev") and not migrations.opts["new_database"]:
            validate_constraints(end)
        for step in steps(heads, migrations):
            begun = time.monotonic()
            direction = "" if step.info.is_upgrade else "Downgrade of "
            title = f"{direction}{step.info.up_revision_id} {step.doc or ''}"
            if migrations.opts["new_database"]:
                yield step
                say(f"{title} ({time.monotonic() - begun:.1f} s)")
            else:
                say(title)
                yield step
                validate_constraints(end)
                say(f"  done in {time.monotonic() - begun:.1f} s")

    return run_steps


def write_compatibility(ctx: Any, step: object, heads: Collection[str], run_args: object) -> None:
    """Store `compatible_since` of the revision that the database now has, if it has one."""
    for revision in heads:
        since = getattr(context.script.get_revision(revision).module, "compatible_since", None)
        if since is not None:
            ctx.connection.execute(WRITE_COMPATIBILITY, {"since": since})


def explain(error: DBAPIError) -> str | None:
    """Explain an error that the operator can correct."""
    if error.connection_invalidated:
        return (
            "The connection to the database was lost, and PostgreSQL rolled back the unfinished"
            " transaction. Run `db upgrade` again. / 数据库连接中断，未完成的事务已回滚。"
            "请重新执行 db upgrade。"
        )
    if isinstance(error.orig, LockNotAvailable):
        return (
            f"{error.orig.diag.message_primary}. The revision was rolled back. Run `db upgrade`"
            " again. / 等待锁超时，本次修订已回滚。请重新执行 db upgrade。"
        )
    if isinstance(error.orig, InsufficientPrivilege):
        return (
            f"{error.orig.diag.message_primary}. Run `db upgrade` with the DATABASE_URL of the role"
            " that owns the database and its tables. See docs/operations.md#database-roles. /"
            " 请使用数据库及各表所有者的 DATABASE_URL 执行 db upgrade，"
            "参见 docs/operations.zh-CN.md。"
        )
    return None


if context.is_offline_mode():
    raise SystemExit("Migrations need a database: they are not written out as SQL.")
logging.getLogger("alembic").setLevel(logging.WARNING)
run()

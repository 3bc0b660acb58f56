"""Conversion of a migrated database into one that Citus distributes by tenant.

One transaction converts all tables, so that an interruption changes nothing. Converted tables stay
as they are: after a later migration has added a tenant table, a second run converts that table.
"""

from collections.abc import Iterator, Sequence
from typing import cast

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from app.connections import DeadlineConnection, direct_engine
from app.models.distribution import REFERENCE_TABLES, TENANT_TABLES
from app.settings import MIGRATIONS
from migrations.online.locks import MIGRATING

# The other tenant tables are co-located with this one.
FIRST = TENANT_TABLES[0]
# Functions that statements call. Citus copies the functions of triggers with their tables.
FUNCTIONS = ("impersonal_details(text, jsonb)",)
SETTINGS = (
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    # Required for a transaction that changes several tables with foreign keys between them.
    "SET LOCAL citus.multi_shard_modify_mode = 'sequential'",
    # For the triggers that notify processes and those that protect the audit log.
    "SET LOCAL citus.enable_unsafe_triggers = on",
)

TAKE_TURN = text("SELECT pg_try_advisory_xact_lock(:lock)")
IS_INSTALLED = text("SELECT count(*) FROM pg_extension WHERE extname = 'citus'")
IS_COORDINATOR = text("SELECT groupid = 0 FROM pg_dist_local_group")
# Whether the coordinator knows its own address and at least one worker.
KNOWS_NODES = text(
    "SELECT bool_or(groupid = 0) AND bool_or(groupid > 0) FROM pg_dist_node"
    " WHERE noderole = 'primary' AND isactive"
)
CONVERTED = text(
    "SELECT table_name::text FROM citus_tables"
    " WHERE citus_table_type IN ('distributed', 'reference')"
)
FOREIGN_KEYS = text(
    "SELECT conrelid::regclass::text AS table, conname AS name,"
    " pg_get_constraintdef(oid) AS definition FROM pg_constraint"
    " WHERE contype = 'f' AND conrelid::regclass::text = ANY(:tables) ORDER BY oid"
)
DATABASE = text("SELECT quote_ident(current_database())")
# Tables with rows from before the conversion on the coordinator. Queries no longer return them.
LEFT_BEHIND = text(
    "SELECT table_name::text FROM citus_tables WHERE citus_table_type = 'distributed'"
    " AND pg_relation_size(table_name) > 0 AND table_name::text = ANY(:tables)"
)
# Triggers that refuse TRUNCATE, with which the rows are removed, or notify of it.
TRUNCATE_TRIGGERS = text(
    "SELECT tgname AS name, pg_get_triggerdef(oid) AS definition FROM pg_trigger"
    " WHERE tgrelid = to_regclass(:table) AND NOT tgisinternal AND tgtype & 32 = 32"
)
REMOVE = text("SELECT truncate_local_data_after_distributing_table(cast(:table AS regclass))")


class NotDistributable(Exception):
    """The database cannot be distributed now. The message is for the operator."""


def distribute(*, shards: int | None = None, dry_run: bool = False) -> Iterator[str]:
    """Convert the tables that are not converted yet. Yield each statement before it is executed.

    `shards` is the number of shards of each tenant table, by default that of the server. No other
    process may use the database. Raises NotDistributable.
    """
    with direct_engine().connect() as connection:
        driver = cast(DeadlineConnection, connection.connection.driver_connection)
        driver.wait_seconds = None
        try:
            with connection.begin():
                for statement in _plan(connection, shards):
                    yield statement
                    if not dry_run:
                        connection.exec_driver_sql(statement)
            if not dry_run:
                yield from _remove_old_rows(connection)
        finally:
            # Do not return a connection without a timeout to the pool.
            connection.invalidate()


def _plan(connection: Connection, shards: int | None) -> Sequence[str]:
    """Return the statements of the conversion, or none if all tables are converted."""
    _refuse_unprepared(connection)
    converted = set(connection.scalars(CONVERTED))
    reference = [table for table in REFERENCE_TABLES if table not in converted]
    tenant = [table for table in TENANT_TABLES if table not in converted]
    if not reference and not tenant:
        return []
    settings = list(SETTINGS)
    if shards is not None:
        settings.append(f"SET LOCAL citus.shard_count = {shards}")
    return [*settings, *_conversion(connection, reference, tenant)]


def _conversion(
    connection: Connection, reference: Sequence[str], tenant: Sequence[str]
) -> Iterator[str]:
    # A foreign key would make Citus keep both tables on the coordinator.
    foreign_keys = connection.execute(FOREIGN_KEYS, {"tables": list(tenant)}).all()
    for key in foreign_keys:
        yield f"ALTER TABLE {key.table} DROP CONSTRAINT {key.name}"
    for table in reference:
        yield f"SELECT create_reference_table('{table}')"
    for table in tenant:
        colocated = "none" if table == FIRST else FIRST
        yield (
            f"SELECT create_distributed_table('{table}', 'tenant_id',"
            f" colocate_with => '{colocated}')"
        )
    for key in foreign_keys:
        yield f"ALTER TABLE {key.table} ADD CONSTRAINT {key.name} {key.definition}"
    for function in FUNCTIONS:
        yield f"SELECT create_distributed_function('{function}')"
    # Sends `SET LOCAL wxpass.retention`, which the triggers of the audit log read, to the workers.
    database = connection.scalar(DATABASE)
    yield f"ALTER DATABASE {database} SET citus.propagate_set_commands = 'local'"


def _remove_old_rows(connection: Connection) -> Iterator[str]:
    """Remove the rows of converted tables that the coordinator still stores."""
    for table in connection.scalars(LEFT_BEHIND, {"tables": list(TENANT_TABLES)}).all():
        yield f"SELECT truncate_local_data_after_distributing_table('{table}')"
        for setting in SETTINGS:
            connection.exec_driver_sql(setting)
        triggers = connection.execute(TRUNCATE_TRIGGERS, {"table": table}).all()
        for trigger in triggers:
            connection.exec_driver_sql(f"DROP TRIGGER {trigger.name} ON {table}")
        connection.execute(REMOVE, {"table": table})
        for trigger in triggers:
            connection.exec_driver_sql(trigger.definition)
        connection.commit()


def _refuse_unprepared(connection: Connection) -> None:
    if not connection.scalar(IS_INSTALLED):
        raise NotDistributable(
            "The database lacks the Citus extension. Run CREATE EXTENSION citus in the database of"
            " each node. / 数据库未安装 Citus 扩展，请在各节点的数据库中执行 CREATE EXTENSION"
            " citus。"
        )
    if not connection.scalar(IS_COORDINATOR):
        raise NotDistributable(
            "The database address leads to a worker. Set that of the coordinator."
            " / 数据库地址指向工作节点，请改为协调节点的地址。"
        )
    if not connection.scalar(KNOWS_NODES):
        raise NotDistributable(
            "The coordinator does not know any worker or its own address. Run citus_add_node and"
            " citus_set_coordinator_host. / 协调节点未登记工作节点或自身地址，请执行"
            " citus_add_node 与 citus_set_coordinator_host。"
        )
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision != ScriptDirectory(str(MIGRATIONS)).get_current_head():
        raise NotDistributable(
            "The database does not have the schema of this release. Run db upgrade first."
            " / 数据库结构与当前版本不符，请先执行 db upgrade。"
        )
    if not connection.scalar(TAKE_TURN, {"lock": MIGRATING}):
        raise NotDistributable(
            "Another process is migrating or distributing the database."
            " / 另一进程正在迁移或分布该数据库。"
        )

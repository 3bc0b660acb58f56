"""Indexes and constraints of tables: dropped before a bulk load, created again afterwards.

Their definitions come from the catalog, so the schema is exactly the migrated one afterwards.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg

from tests.bench.progress import report_progress, say

# Memory for building indexes on millions of rows.
BUILDING = (
    "SET maintenance_work_mem = '1GB'; SET max_parallel_maintenance_workers = 1;"
    " SET statement_timeout = 0"
)
THREADS = 2
NOT_VALID = " NOT VALID"
CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), contype = 'f'
    FROM pg_constraint
    WHERE contype IN ('p', 'u', 'f')
      AND (conrelid = ANY(%(tables)s::regclass[]) OR confrelid = ANY(%(tables)s::regclass[]))
    ORDER BY contype = 'f' DESC
"""
INDEXES = """
    SELECT indrelid::regclass::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid)
    FROM pg_index
    WHERE indrelid = ANY(%(tables)s::regclass[])
      AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""

# The statements of each table.
Statements = dict[str, list[str]]
CreateAgain = Callable[[], None]


@dataclass(frozen=True)
class Constraint:
    """A primary key, unique constraint or foreign key of a table."""

    table: str
    name: str
    definition: str
    is_foreign: bool

    @property
    def drop(self) -> str:
        return f'ALTER TABLE {self.table} DROP CONSTRAINT "{self.name}"'

    @property
    def add(self) -> str:
        """Return the statement that adds the constraint. Foreign keys are not checked yet."""
        added = f'ALTER TABLE {self.table} ADD CONSTRAINT "{self.name}" {self.definition}'
        return added + NOT_VALID if self.is_checked_later else added

    @property
    def check(self) -> str:
        return f'ALTER TABLE {self.table} VALIDATE CONSTRAINT "{self.name}"'

    @property
    def is_checked_later(self) -> bool:
        """Return whether this is a foreign key that was valid before."""
        return self.is_foreign and not self.definition.endswith(NOT_VALID)


def drop_indexes(url: str, tables: Sequence[str]) -> CreateAgain:
    """Drop the indexes and constraints of tables. Return a function that creates them again."""
    names = {"tables": list(tables)}
    with psycopg.connect(url, autocommit=True) as connection:
        constraints = [Constraint(*row) for row in connection.execute(CONSTRAINTS, names)]
        indexes = connection.execute(INDEXES, names).fetchall()
        for constraint in constraints:  # foreign keys first
            run(connection, constraint.drop)
        for _, name, _ in indexes:
            run(connection, f"DROP INDEX {name}")
    foreign = [constraint for constraint in constraints if constraint.is_foreign]
    keys = [constraint for constraint in constraints if not constraint.is_foreign]

    def create_again() -> None:
        built = [(key.table, key.add) for key in keys]
        built += [(table, definition) for table, _, definition in indexes]
        run_in_parallel(url, "  indexes", by_table(built))
        # One thread: each statement locks two tables.
        added = [constraint.add for constraint in foreign]
        run_in_parallel(url, "  foreign keys", {"": added})
        checked = [(one.table, one.check) for one in foreign if one.is_checked_later]
        run_in_parallel(url, "  checks of foreign keys", by_table(checked))

    return create_again


def vacuum(url: str, tables: Sequence[str]) -> None:
    """Vacuum and analyze tables, and write all changes to disk.

    Otherwise the first readers, or autovacuum, would do this during a measurement.
    """
    say("  vacuum and analyze")
    run_in_parallel(url, "  tables", {table: [f"VACUUM (ANALYZE) {table}"] for table in tables})
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE")
        connection.execute("CHECKPOINT")


def by_table(statements: Iterable[tuple[str, str]]) -> Statements:
    """Return statements, each given with its table, by table."""
    grouped: Statements = {}
    for table, statement in statements:
        grouped.setdefault(table, []).append(statement)
    return grouped


def run_in_parallel(url: str, what: str, statements: Mapping[str, Sequence[str]]) -> None:
    """Run the statements of each table in order, those of two tables at the same time."""
    total, done = sum(map(len, statements.values())), list[str]()

    def run_all(of_table: Sequence[str]) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(BUILDING)
            for statement in of_table:
                run(connection, statement)
                done.append(statement)
                report_progress(what, len(done), total)

    # The longest work first, so that the threads end at about the same time.
    longest = sorted(statements.values(), key=len, reverse=True)
    with ThreadPoolExecutor(THREADS) as threads:
        for _ in threads.map(run_all, longest):
            pass


def run(connection: psycopg.Connection, statement: str) -> None:
    """Run a statement built at run time, which psycopg accepts as bytes only."""
    connection.execute(statement.encode())

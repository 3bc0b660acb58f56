"""Filling of the database by COPY, with one process per core.

Indexes and constraints are dropped first and created again at the end, from their definitions in
the catalog. Triggers and foreign keys are disabled during COPY, and the foreign keys are validated
at the end.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context

import psycopg

from app.keyring import KeyRing
from tests.bench.data.people import Person, UnlinkedPerson
from tests.bench.data.written_rows import COLUMNS, OF_TENANTS, Lines, Writer
from tests.bench.progress import report_progress, say

PEOPLE_PER_COPY = 10_000
# Memory for building indexes on millions of rows.
BUILDING = (
    "SET maintenance_work_mem = '1GB'; SET max_parallel_maintenance_workers = 2;"
    " SET statement_timeout = 0"
)
CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), contype = 'f'
    FROM pg_constraint
    WHERE contype IN ('p', 'u', 'f')
      AND (conrelid = ANY(%(tables)s::regclass[]) OR confrelid = ANY(%(tables)s::regclass[]))
"""
INDEXES = """
    SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid)
    FROM pg_index
    WHERE indrelid = ANY(%(tables)s::regclass[])
      AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""


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
        unchecked = " NOT VALID" if self.is_foreign else ""
        return f'ALTER TABLE {self.table} ADD CONSTRAINT "{self.name}" {self.definition}{unchecked}'

    @property
    def check(self) -> str:
        return f'ALTER TABLE {self.table} VALIDATE CONSTRAINT "{self.name}"'


@dataclass(frozen=True)
class Filling:
    """A database to fill, and the key ring that encrypts its rows."""

    url: str
    ring: KeyRing

    def fill(self, users: int) -> None:
        """Fill an empty database with tenants, apps and users."""
        began = time.monotonic()
        copy(self.url, OF_TENANTS, self._writer().tenants())
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(BUILDING)
            create_again = drop_indexes(connection, list(COLUMNS))
            self._copy_people(users)
            create_again(connection)
            say("  vacuum and analyze")
            # Otherwise the first readers, or autovacuum, would do this during a measurement.
            connection.execute("VACUUM (ANALYZE)")
            connection.execute("CHECKPOINT")
        say(f"  filled in {time.monotonic() - began:.0f} s")

    def add(self, people: Sequence[Person]) -> None:
        """Insert people who have a user and two sessions."""
        copy(self.url, COLUMNS, self._writer().people(people))

    def add_unlinked(self, people: Sequence[UnlinkedPerson]) -> None:
        """Insert people who have a session but are not linked to a user."""
        copy(self.url, COLUMNS, self._writer().unlinked(people))

    def copy_part(self, numbers: range) -> int:
        """Insert the people with these numbers. Return how many were inserted."""
        self.add([Person(number) for number in numbers])
        return len(numbers)

    def _copy_people(self, users: int) -> None:
        parts = [
            range(first, min(first + PEOPLE_PER_COPY, users))
            for first in range(0, users, PEOPLE_PER_COPY)
        ]
        with get_context("spawn").Pool(os.cpu_count()) as pool:
            done = 0
            for many in pool.imap_unordered(self.copy_part, parts):
                done += many
                report_progress("  users", done, users)

    def _writer(self) -> Writer:
        return Writer(self.ring, datetime.now(UTC))


def copy(url: str, columns: Mapping[str, Sequence[str]], lines: Lines) -> None:
    """Insert rows by COPY in one transaction, without running triggers.

    `columns` contains the column names by table, and `lines` the rows by table.
    """
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        for table, rows in lines.items():
            into = f"COPY {table} ({', '.join(columns[table])}) FROM STDIN"
            with connection.cursor().copy(into) as copying:
                copying.write("".join(rows))


CreateAgain = Callable[[psycopg.Connection], None]


def drop_indexes(connection: psycopg.Connection, tables: Sequence[str]) -> CreateAgain:
    """Drop the indexes and constraints of tables. Return a function that creates them again."""
    names = {"tables": list(tables)}
    constraints = [Constraint(*row) for row in connection.execute(CONSTRAINTS, names)]
    constraints.sort(key=lambda constraint: not constraint.is_foreign)
    indexes = connection.execute(INDEXES, names).fetchall()
    for constraint in constraints:
        run(connection, constraint.drop)
    for name, _ in indexes:
        run(connection, f"DROP INDEX {name}")

    def create_again(connection: psycopg.Connection) -> None:
        statements = [definition for _, definition in indexes]
        statements += [constraint.add for constraint in reversed(constraints)]
        statements += [constraint.check for constraint in constraints if constraint.is_foreign]
        for done, statement in enumerate(statements, 1):
            run(connection, statement)
            report_progress("  indexes and constraints", done, len(statements))

    return create_again


def run(connection: psycopg.Connection, statement: str) -> None:
    """Run a statement built at run time, which psycopg accepts as bytes only."""
    connection.execute(statement.encode())

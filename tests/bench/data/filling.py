"""Filling the tables by COPY, from as many processes as there are cores.

Indexes and constraints are taken off before and put back after, as the catalog has them: a list of
them would be wrong with the next migration. Triggers and foreign keys rest while rows come in, and
the foreign keys are checked once at the end.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context

import psycopg

from app.keyring import KeyRing
from tests.bench.data.people import Stranger
from tests.bench.data.written_rows import COLUMNS, OF_TENANTS, Lines, Writer
from tests.bench.progress import say, say_how_far

PEOPLE_AT_ONCE = 10_000
# Sorting the keys of millions of rows in memory; only the sessions that build indexes have it.
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
    """A key of a table, or a foreign key to or from it."""

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
    """A database, and the keys that its rows are sealed with."""

    url: str
    ring: KeyRing

    def fill(self, users: int) -> None:
        """Fill an empty database with tenants, apps and so many users."""
        began = time.monotonic()
        copy(self.url, OF_TENANTS, self._writer().tenants())
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(BUILDING)
            put_back = take_off(connection, list(COLUMNS))
            self._copy_people(users)
            put_back(connection)
            say("  vacuum and analyze")
            # Else the first readers would do it, and autovacuum while somebody measures.
            connection.execute("VACUUM (ANALYZE)")
            connection.execute("CHECKPOINT")
        say(f"  filled in {time.monotonic() - began:.0f} s")

    def add_strangers(self, strangers: Sequence[Stranger]) -> None:
        """Add people who have logged in and have no user."""
        copy(self.url, COLUMNS, self._writer().strangers(strangers))

    def copy_part(self, numbers: range) -> int:
        """Copy some people; say how many."""
        copy(self.url, COLUMNS, self._writer().people(numbers))
        return len(numbers)

    def _copy_people(self, users: int) -> None:
        parts = [
            range(first, min(first + PEOPLE_AT_ONCE, users))
            for first in range(0, users, PEOPLE_AT_ONCE)
        ]
        with get_context("spawn").Pool(os.cpu_count()) as pool:
            done = 0
            for many in pool.imap_unordered(self.copy_part, parts):
                done += many
                say_how_far("  users", done, users)

    def _writer(self) -> Writer:
        return Writer(self.ring, datetime.now(UTC))


def copy(url: str, columns: Mapping[str, Sequence[str]], lines: Lines) -> None:
    """Copy rows into their tables in one transaction."""
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        for table, rows in lines.items():
            into = f"COPY {table} ({', '.join(columns[table])}) FROM STDIN"
            with connection.cursor().copy(into) as copying:
                copying.write("".join(rows))


PutBack = Callable[[psycopg.Connection], None]


def take_off(connection: psycopg.Connection, tables: Sequence[str]) -> PutBack:
    """Drop the indexes and keys of some tables; give what makes them again."""
    names = {"tables": list(tables)}
    constraints = [Constraint(*row) for row in connection.execute(CONSTRAINTS, names)]
    constraints.sort(key=lambda one: not one.is_foreign)
    indexes = connection.execute(INDEXES, names).fetchall()
    for constraint in constraints:
        run(connection, constraint.drop)
    for name, _ in indexes:
        run(connection, f"DROP INDEX {name}")

    def put_back(connection: psycopg.Connection) -> None:
        making = [definition for _, definition in indexes]
        making += [one.add for one in reversed(constraints)]
        making += [one.check for one in constraints if one.is_foreign]
        for done, statement in enumerate(making, 1):
            run(connection, statement)
            say_how_far("  indexes and constraints", done, len(making))

    return put_back


def run(connection: psycopg.Connection, statement: str) -> None:
    """Run a statement that is made of names from the catalog."""
    connection.execute(statement.encode())

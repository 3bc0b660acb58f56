"""Filling of the database, with one process per core.

Indexes and constraints are dropped first and created again at the end. No triggers run, and the
foreign keys are validated at the end.
"""

import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context

import psycopg

from app.keyring import KeyRing
from tests.bench.data.bulk_rows import TABLES, Part, insert_rest
from tests.bench.data.indexes import drop_indexes, vacuum
from tests.bench.data.people import Person, UnlinkedPerson
from tests.bench.data.written_rows import COLUMNS, OF_TENANTS, Lines, Writer
from tests.bench.progress import report_progress, say

PEOPLE_PER_PART = 10_000


@dataclass(frozen=True)
class Filling:
    """A database to fill, and the key ring that encrypts its rows."""

    url: str
    ring: KeyRing

    def fill(self, users: int, people: Collection[int] | None = None) -> None:
        """Fill an empty database with tenants, apps and users.

        `people` are the numbers of the users who can log in, by default all. The rows of the others
        are built by PostgreSQL, which is much faster.
        """
        began = time.monotonic()
        copy(self.url, OF_TENANTS, self._writer().tenants())
        create_again = drop_indexes(self.url, TABLES)
        self._insert_people(users, people)
        say(f"  inserted after {time.monotonic() - began:.0f} s")
        create_again()
        vacuum(self.url, TABLES)
        say(f"  filled in {time.monotonic() - began:.0f} s")

    def add(self, people: Sequence[Person]) -> None:
        """Insert people who have a user and two sessions."""
        copy(self.url, COLUMNS, self._writer().people(people))

    def add_unlinked(self, people: Sequence[UnlinkedPerson]) -> None:
        """Insert people who have a session but are not linked to a user."""
        copy(self.url, COLUMNS, self._writer().unlinked(people))

    def insert_part(self, part: Part) -> int:
        """Insert the people of a part. Return how many were inserted."""
        self.add([Person(number) for number in part.people])
        if len(part.people) < len(part.numbers):
            insert_rest(self.url, part, self.ring.first)
        return len(part.numbers)

    def _insert_people(self, users: int, people: Collection[int] | None) -> None:
        parts = parts_of(users, people)
        with get_context("spawn").Pool(os.cpu_count()) as pool:
            done = 0
            for many in pool.imap_unordered(self.insert_part, parts):
                done += many
                report_progress("  users", done, users)

    def _writer(self) -> Writer:
        return Writer(self.ring, datetime.now(UTC))


def parts_of(users: int, people: Collection[int] | None) -> list[Part]:
    """Return the parts that are inserted at once. `people` as for `Filling.fill`."""
    numbers = [
        range(first, min(first + PEOPLE_PER_PART, users))
        for first in range(0, users, PEOPLE_PER_PART)
    ]
    if people is None:
        return [Part(part, tuple(part)) for part in numbers]
    by_part: dict[int, list[int]] = {}
    for number in sorted(people):
        by_part.setdefault(number // PEOPLE_PER_PART, []).append(number)
    return [Part(part, tuple(by_part.get(n, ()))) for n, part in enumerate(numbers)]


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

"""Filling of the databases of the peers with the people that the service's database contains."""

from collections.abc import Callable, Iterable

import psycopg

from tests.bench.data.filling import copy
from tests.bench.data.people import Person
from tests.bench.data.written_rows import Columns, Lines
from tests.bench.progress import report_progress

PEOPLE_PER_COPY = 10_000


def fill(
    url: str, columns: Columns, rows_of: Callable[[Iterable[Person]], Lines], users: int
) -> None:
    """Insert the rows of the first `users` people into empty tables."""
    for first in range(0, users, PEOPLE_PER_COPY):
        numbers = range(first, min(first + PEOPLE_PER_COPY, users))
        copy(url, columns, rows_of(map(Person, numbers)))
        report_progress("  users", numbers.stop, users)
    with psycopg.connect(url, autocommit=True) as connection:
        # Otherwise the first readers, or autovacuum, would do this during a measurement.
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")

"""Rows and bytes of the tables and indexes of a database."""

from dataclasses import dataclass

import psycopg

from tests.bench.data.bulk_rows import TABLES

SPACE = """
    SELECT relname, reltuples::bigint, pg_table_size(oid), pg_indexes_size(oid)
    FROM pg_class WHERE oid = ANY (%(tables)s::regclass[]) ORDER BY pg_total_relation_size(oid) DESC
"""
INDEXES = """
    SELECT relname, pg_relation_size(indexrelid) FROM pg_index JOIN pg_class ON oid = indexrelid
    WHERE indrelid = ANY (%(tables)s::regclass[]) ORDER BY 2 DESC
"""


@dataclass(frozen=True)
class TableSpace:
    """The rows of a table, and the bytes of the table and of its indexes."""

    rows: int
    table_bytes: int
    index_bytes: int

    @property
    def bytes_per_row(self) -> float:
        """Return the bytes of a row with its index entries."""
        return (self.table_bytes + self.index_bytes) / max(self.rows, 1)


@dataclass(frozen=True)
class Space:
    """The space of a database: in all, of each large table and of each of their indexes."""

    total_bytes: int
    tables: dict[str, TableSpace]
    indexes: dict[str, int]

    @property
    def bytes_of_users(self) -> int:
        """Return the bytes of all tables except sessions and codes."""
        return sum(
            space.table_bytes + space.index_bytes
            for name, space in self.tables.items()
            if name not in ("login_sessions", "code_exchanges")
        )


def read_space(url: str) -> Space:
    """Return the space of a database after VACUUM."""
    names = {"tables": list(TABLES)}
    with psycopg.connect(url) as connection:
        tables = connection.execute(SPACE, names).fetchall()
        indexes = connection.execute(INDEXES, names).fetchall()
        total = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    assert total is not None
    spaces = {name: TableSpace(*numbers) for name, *numbers in tables}
    return Space(total[0], spaces, dict(indexes))

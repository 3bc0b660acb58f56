"""What PostgreSQL writes and reads during a run: write-ahead log and pages."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg

from config.development.children import RunFailed
from config.development.postgres_commands import binaries

POSITION = "SELECT pg_current_wal_flush_lsn()"
PAGES = """
    SELECT sum(reads), sum(hits) FROM pg_stat_io
    WHERE backend_type = 'client backend' AND object = 'relation'
"""
# The line of `pg_waldump --stats`: records, their bytes, and the bytes of full pages.
TOTAL = re.compile(r"^Total\s+(\d+)\s+(\d+) \[.*?\]\s+(\d+) \[", re.MULTILINE)


@dataclass(frozen=True)
class Usage:
    """A position in the write-ahead log, and the pages that all sessions have read and found."""

    position: str
    pages_read: int
    pages_found: int


@dataclass(frozen=True)
class Written:
    """Bytes of the write-ahead log, and pages read from outside shared_buffers, of a run.

    `full_page_bytes` are those of pages that were written for the first time since a checkpoint.
    """

    record_bytes: int
    full_page_bytes: int
    pages_read: int

    @property
    def wal_bytes(self) -> int:
        return self.record_bytes + self.full_page_bytes


def checkpoint(url: str) -> None:
    """Write all changed pages to disk. The next change of each page writes the full page."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")


def read_usage(url: str) -> Usage:
    """Return the current counts of a server."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        position = connection.execute(POSITION).fetchone()
        pages = connection.execute(PAGES).fetchone()
    assert position
    assert pages
    return Usage(position[0], int(pages[0]), int(pages[1]))


def written_between(data: Path, before: Usage, after: Usage) -> Written:
    """Return what was written and read between two counts of the server with a data folder."""
    read = after.pages_read - before.pages_read
    if before.position == after.position:
        return Written(0, 0, read)
    command = [str(binaries() / "pg_waldump"), "--stats", "-p", str(data / "pg_wal")]
    command += ["-s", before.position, "-e", after.position]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = TOTAL.search(done.stdout)
    if found is None:
        raise RunFailed(f"pg_waldump failed:\n{done.stdout}{done.stderr}")
    return Written(int(found[2]), int(found[3]), read)

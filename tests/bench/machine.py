"""Descriptions of the machine and of PostgreSQL for the reports."""

import os
import platform
from pathlib import Path

import psycopg
from psycopg import sql

from tests.bench.data.world import World

SETTINGS = ("server_version", "fsync", "synchronous_commit", "shared_buffers", "max_wal_size")


def machine() -> str:
    """Return a description of processors, memory and Python version."""
    names = [line for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    name = names[0].partition(":")[2].strip() if names else platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    python = platform.python_version()
    return f"{os.cpu_count()} processors ({name}), {memory:.0f} GB, Python {python}"


def of_database(made: World) -> str:
    """Return the PostgreSQL version and the settings that affect the speed."""
    with psycopg.connect(made.database_url) as connection:
        shown = []
        for name in SETTINGS:
            row = connection.execute(sql.SQL("SHOW {}").format(sql.Identifier(name))).fetchone()
            shown.append(f"{name} {row[0] if row else '?'}")
    return f"PostgreSQL: {', '.join(shown)}."


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []

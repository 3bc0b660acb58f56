"""What the processes and the database use: memory, file descriptors, threads, rows."""

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.soak.place import Place

DATABASE = """
SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'
          AND datname = current_database() AND pid <> pg_backend_pid()),
       (SELECT COALESCE(sum(n_dead_tup), 0) FROM pg_stat_user_tables),
       pg_database_size(current_database())
"""
MEGABYTE = 2**20


@dataclass(frozen=True)
class ProcessUsage:
    """What a process uses. `own` is its memory in bytes that it shares with no other process."""

    resident: int
    own: int
    files: int
    threads: int


@dataclass(frozen=True)
class Usage:
    """A measurement. `generation` counts the sets of workers, and `since` is when one began.

    Times are those of `time.monotonic`.
    """

    moment: float
    generation: int
    since: float
    workers: tuple[ProcessUsage, ...]
    masters: tuple[ProcessUsage, ...]
    connections: int | None = None
    dead_rows: int | None = None
    database_bytes: int | None = None
    temporary_files: int = 0

    @property
    def age(self) -> float:
        """Return how many seconds the workers had run."""
        return self.moment - self.since

    @property
    def own(self) -> int:
        """Return the bytes of memory that the workers do not share."""
        return sum(one.own for one in self.workers)

    @property
    def resident(self) -> int:
        """Return the resident bytes of the workers."""
        return sum(one.resident for one in self.workers)

    @property
    def files(self) -> int:
        """Return the number of open files of the workers."""
        return sum(one.files for one in self.workers)

    @property
    def threads(self) -> int:
        """Return the number of threads of the workers."""
        return sum(one.threads for one in self.workers)


class Meter:
    """Measures the usage repeatedly, and counts the generations of the workers."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._workers: list[int] = []
        self._generation, self._since = 0, 0.0

    def measure(self) -> Usage:
        """Return what is used now."""
        service = self._place.service
        pids, moment = service.workers, time.monotonic()
        if pids != self._workers:
            self._workers, self._since = pids, moment
            self._generation += 1
        connections, dead_rows, size = self._ask_database()
        return Usage(
            moment,
            self._generation,
            self._since,
            tuple(usage for pid in pids if (usage := usage_of(pid))),
            tuple(
                usage for pid in service.processes if pid not in pids and (usage := usage_of(pid))
            ),
            connections,
            dead_rows,
            size,
            sum(1 for _ in (self._place.site.folder / "tmp").rglob("*")),
        )

    def _ask_database(self) -> tuple[int | None, int | None, int | None]:
        try:
            (row,) = self._place.query(DATABASE)
        except psycopg.Error:  # it is restarting
            return None, None, None
        connections, dead_rows, size = row
        return int(connections), int(dead_rows), int(size)


def usage_of(pid: int) -> ProcessUsage | None:
    """Return what a process uses, or None if it has ended."""
    process = Path(f"/proc/{pid}")
    with suppress(OSError, KeyError):
        lines = (process / "smaps_rollup").read_text().splitlines()[1:]
        sizes = {
            name: int(value.split()[0]) * 1024
            for name, _, value in (line.partition(":") for line in lines)
        }
        return ProcessUsage(
            resident=sizes["Rss"],
            own=sizes["Private_Clean"] + sizes["Private_Dirty"],
            files=len(list((process / "fd").iterdir())),
            threads=len(list((process / "task").iterdir())),
        )
    return None

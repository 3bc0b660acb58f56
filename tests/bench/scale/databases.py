"""The database of each size, on its own server, filled by a process with low priority."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from config.development.children import RunFailed
from config.development.postgres import PostgresServer, hold_server
from config.development.postgres_commands import Cluster, stop
from tests.bench.data.world import World, started_world
from tests.bench.progress import say

NAME = "wxpass"
MEGABYTE = 2**20
MAX_SHARED_MEGABYTES = 2048
STOP_SECONDS = 60
# Nothing of a database that is being filled must survive a crash.
LOADING = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
}
# As in production. Everything else has the defaults of PostgreSQL, such as fsync = on.
MEASURED = {
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
}


def memory_settings() -> dict[str, str]:
    """Return a quarter of the memory of this machine as shared_buffers, at most 2 GB."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MEGABYTE
    return {"shared_buffers": f"{min(total // 4, MAX_SHARED_MEGABYTES)}MB"}


def start_server(folder: Path, settings: dict[str, str]) -> PostgresServer:
    """Start the server of a folder with settings."""
    options = [
        part
        for name, value in (memory_settings() | settings).items()
        for part in ("-c", f"{name}={value}")
    ]
    return hold_server(folder, NAME, options)


@dataclass
class Database:
    """The running server of a folder, and the environment of the service that uses it."""

    world: World
    _server: PostgresServer

    def restart_cold(self) -> None:
        """Restart the server with empty caches: its own, and those of the operating system."""
        self._server.release()
        evict(self.world.folder / "postgres")
        self._server = start_server(self.world.folder, MEASURED)

    def release(self) -> None:
        """Stop the server."""
        self._server.release()


@contextmanager
def database(folder: Path, users: int, *, keep: bool = False) -> Iterator[Database]:
    """Fill a database with users, and run its server inside the block.

    The folder is removed at the end unless `keep` is set. A kept folder is used again.
    """
    try:
        fill_in_background(folder, users)
        with running(folder) as filled:
            yield filled
    finally:
        if not keep:
            remove(folder)


@contextmanager
def running(folder: Path) -> Iterator[Database]:
    """Run the server of a filled folder inside the block."""
    server = start_server(folder, MEASURED)
    try:
        with started_world(folder, server) as made:
            current = Database(made, server)
            try:
                yield current
            finally:
                current.release()
    finally:
        server.release()


def fill_in_background(folder: Path, users: int) -> None:
    """Fill the database of a folder in another process, unless this was done before.

    The process and its PostgreSQL have a low priority. Raises RunFailed if the process fails.
    """
    if is_filled(folder, users):
        say(f"{folder} is filled already")
        return
    remove(folder)
    command = [sys.executable, "-m", "tests.bench.scale.filling", str(folder), str(users)]
    with subprocess.Popen(command) as filling:
        try:
            if filling.wait():
                raise RunFailed(f"the database in {folder} could not be filled")
        except BaseException:
            filling.terminate()
            filling.wait(STOP_SECONDS)
            raise


def is_filled(folder: Path, users: int) -> bool:
    """Return whether the database of a folder was filled with this number of users."""
    mark = folder / "filled"
    return mark.exists() and mark.read_text() == str(users)


def remove(folder: Path) -> None:
    """Stop the server of a folder, if it runs, and remove the folder."""
    if folder.exists():
        stop(Cluster.of(folder.resolve()))
        shutil.rmtree(folder)


def evict(folder: Path) -> None:
    """Remove the files of a folder from the cache of the operating system."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)

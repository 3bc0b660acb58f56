"""Filling of the database of a size: `python -m tests.bench.scale.filling FOLDER USERS`."""

import os
import sys
from pathlib import Path

from tests.bench.command import run
from tests.bench.data.world import migrate, started_world
from tests.bench.progress import say
from tests.bench.scale.databases import LOADING, start_server
from tests.bench.scale.people import all_people

NICENESS = 10


def fill() -> None:
    """Create the database and its server, with a low priority, and stop the server at the end."""
    folder, users = Path(sys.argv[1]), int(sys.argv[2])
    os.nice(NICENESS)
    folder.mkdir(parents=True, exist_ok=True)
    say(f"Filling a database with {users:,} users in {folder}")
    server = start_server(folder, LOADING)
    try:
        with started_world(folder, server) as made:
            migrate(made)
            made.filling.fill(users, all_people(users))
    finally:
        server.release()
    (folder / "filled").write_text(str(users))


if __name__ == "__main__":
    sys.exit(run(fill))

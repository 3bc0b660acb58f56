"""Point-in-time recovery with pgBackRest and the files in deploy/backup."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from config.development.postgres_user import set_owner
from tests.fixtures.servers.debian_postgres import ROOT, new_debian_server
from tests.fixtures.servers.replication import PostgresProcess
from tests.fixtures.waiting import until

DEPLOY = ROOT / "deploy" / "backup"
PROGRAM = shutil.which("pgbackrest")


@dataclass
class Archived:
    """A server that archives its WAL, and the configuration of pgBackRest."""

    server: PostgresProcess
    config: Path

    def pgbackrest(self, *arguments: str) -> str:
        """Run a command of pgBackRest as the user of the server. Return its output."""
        command = [str(PROGRAM), f"--config={self.config}", "--stanza=wxpass", *arguments]
        done = subprocess.run(
            command,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
            **self.server.as_user(),
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return str(done.stdout)


@pytest.fixture
def archived(folder: Path) -> Iterator[Archived]:
    """A server with the settings of deploy/backup, except for paths, ports and the user."""
    assert PROGRAM, "needs the package pgbackrest"
    server = new_debian_server(folder, "archived")
    site = folder / "pgbackrest"
    for name in ("repository", "log", "lock", "spool", "socket"):
        (site / name).mkdir(parents=True)
    config = site / "pgbackrest.conf"
    text = (DEPLOY / "pgbackrest.conf").read_text().replace("CHANGE_ME", "a passphrase")
    text = text.replace("/var/lib/pgbackrest", str(site / "repository"))
    text = text.replace("/var/lib/postgresql/15/main", str(server.data))
    text = text.replace("pg1-port=5432", f"pg1-port={server.port}\npg1-user=postgres")
    text += f"pg1-socket-path={site}/socket\n"
    paths = f"log-path={site}/log\nlock-path={site}/lock\nspool-path={site}/spool\n"
    config.write_text(text.replace("[global]\n", f"[global]\n{paths}"))
    set_owner(server.user, site)
    try:
        server.create_cluster()
        _enable_archive(server, config)
        yield Archived(server, config)
    finally:
        server.remove()


def _enable_archive(server: PostgresProcess, config: Path) -> None:
    settings = (DEPLOY / "archive.conf").read_text()
    settings = settings.replace("pgbackrest --", f"{PROGRAM} --config={config} --")
    with (server.data / "postgresql.conf").open("a") as file:
        file.write(f"{settings}\nunix_socket_directories = '{config.parent}/socket'\n")
    server.run("pg_ctl", "-D", str(server.data), "-m", "fast", "-w", "stop")
    server.start()


def test_the_database_is_restored_to_a_moment_before_the_mistake(archived: Archived) -> None:
    server = archived.server
    archived.pgbackrest("stanza-create")
    archived.pgbackrest("check")
    server("CREATE TABLE people (name text)", database="postgres")
    server("INSERT INTO people VALUES ('before the backup')", database="postgres")
    archived.pgbackrest("--type=full", "backup")
    # The moment must be in a later second than the end of the backup.
    server("SELECT pg_sleep(1.1)", database="postgres")
    server("INSERT INTO people VALUES ('after the backup')", database="postgres")
    ((moment,),) = server("SELECT clock_timestamp()::text", database="postgres")
    server("SELECT pg_sleep(0.1)", database="postgres")
    server("DROP TABLE people", database="postgres")
    server("SELECT pg_switch_wal()", database="postgres")

    server.run("pg_ctl", "-D", str(server.data), "-m", "fast", "-w", "stop")
    archived.pgbackrest(
        "--delta", "--type=time", f"--target={moment}", "--target-action=promote", "restore"
    )
    server.start()

    until(lambda: server("SELECT NOT pg_is_in_recovery()", database="postgres") == [(True,)])
    names = server("SELECT name FROM people ORDER BY name DESC", database="postgres")
    assert names == [("before the backup",), ("after the backup",)]
    assert "status: ok" in archived.pgbackrest("info")

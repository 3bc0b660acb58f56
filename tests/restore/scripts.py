"""The scripts in deploy/backup, run as an operator runs them."""

import os
import subprocess
import sys
from pathlib import Path

from tests.fixtures.servers.debian_postgres import OWNER, SERVICE, url_of
from tests.fixtures.servers.replication import DATABASE, PostgresProcess

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "backup"
# The password `p@ss:/word` in an address. The servers of tests ask for none.
PASSWORD = "p%40ss%3A%2Fword"


def back_up(
    server: PostgresProcess, backups: Path, **settings: str
) -> "subprocess.CompletedProcess[str]":
    """Run backup.sh with the address of the owner."""
    environ = {"DATABASE_URL": url_of(server, SERVICE), "BACKUP_DIR": str(backups)}
    environ["BACKUP_DATABASE_URL"] = _with_password(url_of(server, OWNER))
    return run("backup.sh", **environ | settings)


def restore(
    server: PostgresProcess, backup: Path, database: str = DATABASE, **settings: str
) -> "subprocess.CompletedProcess[str]":
    """Run restore.sh with the address of the owner."""
    url = _with_password(url_of(server, OWNER)).removesuffix(DATABASE) + database
    return run("restore.sh", str(backup), RESTORE_DATABASE_URL=url, **settings)


def _with_password(url: str) -> str:
    return url.replace("@", f":{PASSWORD}@", 1)


def run(script: str, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run a script in another folder than its own."""
    flask = Path(sys.executable).parent / "flask"
    environ = os.environ | {"FLASK": str(flask)} | settings
    command = [str(FOLDER / script), *arguments]
    return subprocess.run(
        command, cwd="/", env=environ, capture_output=True, text=True, check=False, timeout=120
    )

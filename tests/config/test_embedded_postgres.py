"""The embedded PostgreSQL server. Processes share it, and the last process stops it."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from config.development.postgres import DatabaseUnavailable, create_database, hold_server

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
FAST = ("-c", "fsync=off")
QUIET = ("log_error_verbosity", "log_min_error_statement")
HOLD = """
import sys
from pathlib import Path
from config.development.postgres import hold_server
server = hold_server(Path(sys.argv[1]), options=("-c", "fsync=off"))
print("holding", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def shared_var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder shared by the tests of this module, so that initdb runs once."""
    return tmp_path_factory.mktemp("shared") / "var"


@pytest.fixture
def var(shared_var: Path) -> Iterator[Path]:
    """The shared data folder. After the test, a server that still runs is stopped."""
    yield shared_var
    if is_running(shared_var):
        hold_server(shared_var, options=FAST).release()
    assert not is_running(shared_var)


def is_running(var: Path) -> bool:
    """Return whether a PostgreSQL server with data in the folder runs."""
    try:
        pid = (var / "postgres" / "postmaster.pid").read_text().split()[0]
        command = Path(f"/proc/{pid}/cmdline").read_text()
    except FileNotFoundError:
        return False
    return str(var) in command


def answers(url: str) -> bool:
    """Return whether the server executes a statement."""
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def start_holder(var: Path) -> "subprocess.Popen[bytes]":
    """Start a process that holds the server until its stdin is closed."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(var)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout
    assert holder.stdout.readline() == b"holding\n"
    return holder


def end(holder: "subprocess.Popen[bytes]", number: int | None = None) -> None:
    """End a process that holds the server, by a signal or by closing its stdin."""
    if number:
        holder.send_signal(number)
    holder.communicate()


def test_the_server_stops_when_the_last_process_releases_it(var: Path) -> None:
    first = hold_server(var, options=FAST)
    second = hold_server(var, options=FAST)
    holder = start_holder(var)

    first.release()
    first.release()
    assert answers(second.url)
    second.release()
    assert is_running(var)
    end(holder)
    assert not is_running(var)


def test_a_killed_process_does_not_keep_the_server_running(var: Path) -> None:
    server = hold_server(var, options=FAST)
    end(start_holder(var), signal.SIGKILL)

    server.release()

    assert not is_running(var)


def test_a_server_left_running_by_a_killed_process_is_reused_and_then_stopped(var: Path) -> None:
    end(start_holder(var), signal.SIGKILL)
    remaining_pid = (var / "postgres" / "postmaster.pid").read_text().split()[0]
    assert is_running(var)

    with hold_server(var) as server:
        assert answers(server.url)
        assert (var / "postgres" / "postmaster.pid").read_text().split()[0] == remaining_pid

    assert not is_running(var)


def test_processes_that_start_concurrently_share_one_server(var: Path) -> None:
    holders = [
        subprocess.Popen(
            [sys.executable, "-c", HOLD, str(var)], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=-1
        )
        for _ in range(3)
    ]

    assert [holder.communicate()[0] for holder in holders] == [b"holding\n"] * 3
    assert [holder.returncode for holder in holders] == [0, 0, 0]
    assert not is_running(var)


@pytest.mark.parametrize("content", ["{pid}\n/somewhere\n1\n5432\n", ""])
def test_the_server_starts_despite_a_stale_or_empty_postmaster_pid_file(
    var: Path, content: str
) -> None:
    hold_server(var, options=FAST).release()
    other_process = subprocess.Popen(["sleep", "60"], user=(var / "postgres").stat().st_uid)
    try:
        pid_file = var / "postgres" / "postmaster.pid"
        pid_file.write_text(content.format(pid=other_process.pid))
        os.utime(pid_file, (0, 0))
        with hold_server(var, options=FAST) as server:
            assert answers(server.url)
        assert other_process.poll() is None
    finally:
        other_process.kill()
        other_process.wait()


def test_a_release_in_a_forked_child_does_not_stop_the_server_of_the_parent(var: Path) -> None:
    with hold_server(var, options=FAST) as server:
        child = os.fork()
        if child == 0:
            server.release()
            os._exit(0)
        os.waitpid(child, 0)
        assert answers(server.url)


def test_the_server_listens_only_on_a_socket_in_a_folder_private_to_its_owner(var: Path) -> None:
    with hold_server(var, options=FAST) as server:
        data = var / "postgres"
        with psycopg.connect(server.url) as connection:
            (addresses,) = connection.execute("SHOW listen_addresses").fetchone() or ("?",)
            (encoding,) = connection.execute("SHOW server_encoding").fetchone() or ("?",)
        socket_folder = Path(psycopg.conninfo.conninfo_to_dict(server.url)["host"])  # type: ignore[arg-type]

    assert (addresses, encoding) == ("", "UTF8")
    assert socket_folder == data
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_the_server_log_is_readable_by_its_owner_only_and_contains_no_values(var: Path) -> None:
    hold_server(var, options=FAST).release()
    log = var / "postgres.log"
    log.chmod(0o644)
    with hold_server(var, options=FAST) as server, psycopg.connect(server.url) as connection:
        assert stat.S_IMODE(log.stat().st_mode) == 0o600
        connection.execute("CREATE TEMP TABLE phones (number text PRIMARY KEY)")
        add = "INSERT INTO phones VALUES (%s), ('13800138000')"
        with pytest.raises(psycopg.errors.UniqueViolation, match="13800138000"):
            connection.execute(add, ["13800138000"])
        connection.rollback()
        shown = [connection.execute(f"SHOW {name}").fetchone() for name in QUIET]
    log_text = log.read_text()
    assert "duplicate key value violates unique constraint" in log_text
    assert [
        word for word in ("13800138000", "DETAIL", "STATEMENT", "INSERT") if word in log_text
    ] == []
    assert shown == [("terse",), ("panic",)]


def test_a_new_server_log_is_created_with_mode_0600_despite_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with hold_server(tmp_path / "var", options=FAST):
            mode = (tmp_path / "var" / "postgres.log").stat().st_mode
    finally:
        os.umask(before)
    assert stat.S_IMODE(mode) == 0o600


def test_create_database_succeeds_if_the_database_exists(var: Path) -> None:
    with hold_server(var, options=FAST) as server:
        create_database(server.url, 'an"other')
        create_database(server.url, 'an"other')
        assert answers(server.url_of("an%22other"))


def test_the_server_ignores_pgport_and_pgdata_in_the_environment(
    var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "6543")
    monkeypatch.setenv("PGDATA", "/nowhere")
    with hold_server(var, options=FAST) as server:
        assert answers(server.url)


def test_a_server_that_fails_to_start_is_reported_with_its_log(
    var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.development.postgres.RETRY_SECONDS", 0)
    with pytest.raises(DatabaseUnavailable, match="no_such_setting"):
        hold_server(var, options=("-c", "no_such_setting=1"))


def test_data_directory_of_another_postgresql_major_version_is_reported(var: Path) -> None:
    hold_server(var, options=FAST).release()
    version = var / "postgres" / "PG_VERSION"
    original = version.read_text()
    version.write_text("14\n")
    try:
        with pytest.raises(DatabaseUnavailable) as caught:
            hold_server(var, options=FAST)
    finally:
        version.write_text(original)

    assert str(var / "postgres") in str(caught.value)
    assert "DATABASE_URL" in str(caught.value)


def test_a_data_folder_with_other_files_is_rejected_and_not_changed(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "thesis.txt").write_text("important")

    with pytest.raises(DatabaseUnavailable, match="nor empty"):
        hold_server(tmp_path)

    assert (tmp_path / "postgres" / "thesis.txt").read_text() == "important"


def test_the_server_starts_if_the_path_is_too_long_for_a_unix_socket(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    var = closed / ("a long 名字 " * 8)

    with hold_server(var, options=FAST) as server:
        assert answers(server.url)
        socket_folder = Path(psycopg.conninfo.conninfo_to_dict(server.url)["host"])  # type: ignore[arg-type]
        assert stat.S_IMODE(socket_folder.stat().st_mode) == 0o700

    assert not socket_folder.exists()
    assert not closed.stat().st_mode & 0o066

"""The embedded PostgreSQL: shared by processes, and stopped with the last one."""

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
    """Return a folder in which initdb runs once for all tests."""
    return tmp_path_factory.mktemp("shared") / "var"


@pytest.fixture
def var(shared_var: Path) -> Iterator[Path]:
    """Return the shared folder, and stop a server that a test left running."""
    yield shared_var
    if is_running(shared_var):
        hold_server(shared_var, options=FAST).release()
    assert not is_running(shared_var)


def is_running(var: Path) -> bool:
    try:
        pid = (var / "postgres" / "postmaster.pid").read_text().split()[0]
        command = Path(f"/proc/{pid}/cmdline").read_text()
    except FileNotFoundError:
        return False
    return str(var) in command


def answers(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def start_holder(var: Path) -> "subprocess.Popen[bytes]":
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
    if number:
        holder.send_signal(number)
    holder.communicate()


def test_the_last_holder_stops_the_server(var: Path) -> None:
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


def test_a_killed_holder_does_not_count(var: Path) -> None:
    server = hold_server(var, options=FAST)
    end(start_holder(var), signal.SIGKILL)

    server.release()

    assert not is_running(var)


def test_a_server_left_by_killed_holders_is_joined_and_then_stopped(var: Path) -> None:
    end(start_holder(var), signal.SIGKILL)
    remaining_pid = (var / "postgres" / "postmaster.pid").read_text().split()[0]
    assert is_running(var)

    with hold_server(var) as server:
        assert answers(server.url)
        assert (var / "postgres" / "postmaster.pid").read_text().split()[0] == remaining_pid

    assert not is_running(var)


def test_concurrent_holders_share_one_server(var: Path) -> None:
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
def test_a_stale_pid_file_is_ignored(var: Path, content: str) -> None:
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


def test_a_forked_child_does_not_release_its_parents_hold(var: Path) -> None:
    with hold_server(var, options=FAST) as server:
        child = os.fork()
        if child == 0:
            server.release()
            os._exit(0)
        os.waitpid(child, 0)
        assert answers(server.url)


def test_only_the_owner_connects_and_the_server_does_not_listen_on_the_network(var: Path) -> None:
    with hold_server(var, options=FAST) as server:
        data = var / "postgres"
        with psycopg.connect(server.url) as connection:
            (addresses,) = connection.execute("SHOW listen_addresses").fetchone() or ("?",)
            (encoding,) = connection.execute("SHOW server_encoding").fetchone() or ("?",)
        socket_folder = Path(psycopg.conninfo.conninfo_to_dict(server.url)["host"])  # type: ignore[arg-type]

    assert (addresses, encoding) == ("", "UTF8")
    assert socket_folder == data
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_the_log_is_private_and_contains_no_row(var: Path) -> None:
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


def test_a_new_log_is_private_from_its_creation(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with hold_server(tmp_path / "var", options=FAST):
            mode = (tmp_path / "var" / "postgres.log").stat().st_mode
    finally:
        os.umask(before)
    assert stat.S_IMODE(mode) == 0o600


def test_creating_an_existing_database_succeeds(var: Path) -> None:
    with hold_server(var, options=FAST) as server:
        create_database(server.url, 'an"other')
        create_database(server.url, 'an"other')
        assert answers(server.url_of("an%22other"))


def test_variables_for_another_server_are_ignored(
    var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "6543")
    monkeypatch.setenv("PGDATA", "/nowhere")
    with hold_server(var, options=FAST) as server:
        assert answers(server.url)


def test_an_invalid_option_fails_with_the_log(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.development.postgres.RETRY_SECONDS", 0)
    with pytest.raises(DatabaseUnavailable, match="no_such_setting"):
        hold_server(var, options=("-c", "no_such_setting=1"))


def test_data_of_another_major_version_is_reported(var: Path) -> None:
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


def test_a_folder_with_other_files_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "thesis.txt").write_text("important")

    with pytest.raises(DatabaseUnavailable, match="nor empty"):
        hold_server(tmp_path)

    assert (tmp_path / "postgres" / "thesis.txt").read_text() == "important"


def test_a_path_too_long_for_a_socket_in_a_private_folder_works(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    var = closed / ("a long 名字 " * 8)

    with hold_server(var, options=FAST) as server:
        assert answers(server.url)
        socket_folder = Path(psycopg.conninfo.conninfo_to_dict(server.url)["host"])  # type: ignore[arg-type]
        assert stat.S_IMODE(socket_folder.stat().st_mode) == 0o700

    assert not socket_folder.exists()
    assert not closed.stat().st_mode & 0o066

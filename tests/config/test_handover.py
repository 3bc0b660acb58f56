"""config/handover.py: what a second master process does. tests/e2e/upgrade runs real ones."""

import os
import signal
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from config import handover


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The process ids and signals that are sent. No signal is really sent."""
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    return sent


def server_of(**fields: Any) -> SimpleNamespace:
    """Return what the module uses of gunicorn's arbiter, in a second master with two workers."""
    arbiter = SimpleNamespace(master_pid=os.getppid(), num_workers=2, log=Mock(), START_CTX={})
    arbiter.reexec = Mock()
    arbiter.handle_hup = arbiter.handle_usr2 = arbiter.maybe_promote_master = Mock()
    arbiter.__dict__.update(fields)
    return arbiter


def test_first_master_is_stopped_once_when_all_workers_are_ready(
    sent: list[tuple[int, int]],
) -> None:
    server = server_of()
    replacement = handover.prepare(server)
    assert replacement
    replacement.report_ready()
    server.maybe_promote_master()
    assert sent == []
    replacement.report_ready()
    server.maybe_promote_master()
    server.maybe_promote_master()
    assert sent == [(os.getppid(), signal.SIGTERM)]


def test_second_master_stops_itself_if_its_workers_are_late(
    sent: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "READY_SECONDS", 0)
    server = server_of()
    replacement = handover.prepare(server)
    assert replacement
    replacement.report_ready()
    server.maybe_promote_master()
    server.maybe_promote_master()
    assert sent == [(os.getpid(), signal.SIGTERM)]


def test_second_master_stops_no_process_if_the_first_one_has_ended(
    sent: list[tuple[int, int]],
) -> None:
    """Its process id may belong to another program by now."""
    server = server_of(master_pid=os.getppid() + 1)
    replacement = handover.prepare(server)
    assert replacement
    replacement.report_ready()
    replacement.report_ready()
    server.maybe_promote_master()
    assert sent == []


def test_systemd_gets_the_new_main_process(
    sent: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = server_of(num_workers=1)
    replacement = handover.prepare(server)
    assert replacement
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        replacement.report_ready()
        server.maybe_promote_master()
        assert systemd.recv(100) == f"MAINPID={os.getpid()}".encode()


def test_sighup_and_sigusr2_start_a_second_master(sent: list[tuple[int, int]]) -> None:
    server = server_of(master_pid=0)
    assert handover.prepare(server) is None
    server.handle_hup()
    server.handle_usr2()
    assert server.reexec.call_count == 2


def test_child_that_cannot_execute_the_second_master_ends_and_stops_no_worker(
    tmp_path: Path,
) -> None:
    """gunicorn would shut it down, and with it the workers of the first master."""

    def reexec() -> None:
        if os.fork() == 0:
            os.chdir(tmp_path / "removed")

    server, own = server_of(master_pid=0, reexec=reexec), os.getpid()
    handover.prepare(server)
    try:
        server.handle_usr2()
    except OSError:
        assert os.getpid() != own
        os._exit(99)  # The error has reached gunicorn's main loop.
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 1


def test_first_master_continues_if_it_cannot_fork() -> None:
    server = server_of(master_pid=0, reexec=Mock(side_effect=BlockingIOError("no more processes")))
    handover.prepare(server)
    server.handle_usr2()
    server.log.error.assert_called_once()


def test_first_process_of_a_container_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 1)
    server = server_of(master_pid=0)
    handover.prepare(server)
    server.handle_hup()
    server.handle_usr2()
    assert server.log.error.call_count == 2


@pytest.mark.parametrize(
    ("first_process", "is_replaceable"),
    [("tini", False), ("docker-init", False), ("sh", False), ("systemd", True), ("init", True)],
)
def test_process_that_the_first_process_of_a_container_waits_for_is_not_replaced(
    first_process: str, is_replaceable: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """tini and shells end with their child, and the container ends with them."""
    comm = tmp_path / "comm"
    comm.write_text(f"{first_process}\n")
    monkeypatch.setattr(handover, "FIRST_PROCESS", comm)
    monkeypatch.setattr(os, "getppid", lambda: 1)
    server = server_of(master_pid=0)
    handover.prepare(server)
    server.handle_hup()
    assert bool(server.reexec.call_count) == is_replaceable
    assert bool(server.log.error.call_count) != is_replaceable


@pytest.mark.parametrize(
    ("environ", "is_replaceable"),
    [
        ({"INVOCATION_ID": "1"}, False),
        ({"INVOCATION_ID": "1", "NOTIFY_SOCKET": "/run/notify"}, True),
    ],
)
def test_main_process_of_a_systemd_unit_without_notification_is_not_replaced(
    environ: dict[str, str], is_replaceable: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With Type=simple, systemd would end both masters when the first one ends."""
    (tmp_path / "comm").write_text("systemd\n")
    monkeypatch.setattr(handover, "FIRST_PROCESS", tmp_path / "comm")
    monkeypatch.setattr(os, "getppid", lambda: 1)
    for name in ("INVOCATION_ID", "NOTIFY_SOCKET"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    server = server_of(master_pid=0)
    handover.prepare(server)
    server.handle_hup()
    assert bool(server.reexec.call_count) == is_replaceable

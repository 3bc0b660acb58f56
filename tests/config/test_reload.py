"""config/reload.py: what `make reload` refuses. tests/e2e/upgrade replaces real processes."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import reload

# A process with the name of gunicorn.
AS_GUNICORN = ["bash", "-c", "exec -a gunicorn sleep 60"]


@pytest.fixture
def pidfile(tmp_path: Path) -> Path:
    return tmp_path / "gunicorn.pid"


@pytest.fixture
def other_program(pidfile: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A program that is no gunicorn, with the process id in the pidfile."""
    process = subprocess.Popen(["sleep", "60"])
    pidfile.write_text(f"{process.pid}\n")
    yield process
    process.kill()
    process.wait()


def test_another_program_with_the_process_id_of_a_stale_pidfile_gets_no_signal(
    pidfile: Path, other_program: "subprocess.Popen[bytes]"
) -> None:
    with pytest.raises(reload.ReloadFailed, match="names no running gunicorn"):
        reload.reload(pidfile, 1)
    with pytest.raises(subprocess.TimeoutExpired):
        other_program.wait(0.3)


@pytest.mark.parametrize("text", ["0", "-1", "", "gunicorn"])
def test_a_pidfile_without_a_process_id_is_refused(pidfile: Path, text: str) -> None:
    """Process id 0 would be the process group of the command itself."""
    pidfile.write_text(text)
    with pytest.raises(reload.ReloadFailed, match="names no running gunicorn"):
        reload.reload(pidfile, 1)


def test_a_gunicorn_of_another_user_is_explained(
    pidfile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = subprocess.Popen(AS_GUNICORN)

    def refuse(pid: int, number: int) -> None:
        if number == signal.SIGUSR2:
            raise PermissionError

    try:
        pidfile.write_text(str(process.pid))
        monkeypatch.setattr(os, "kill", refuse)
        command = Path(f"/proc/{process.pid}/cmdline")
        assert reload._until(lambda: b"gunicorn" in command.read_bytes(), 5)
        with pytest.raises(reload.ReloadFailed, match="belongs to another user"):
            reload.reload(pidfile, 1)
    finally:
        monkeypatch.undo()
        process.kill()
        process.wait()

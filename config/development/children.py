"""Child processes of `make run`. Each has its own session and log file."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TAIL_LINES = 20


class RunFailed(Exception):
    """`make run` cannot continue. The message is shown at the terminal."""


@dataclass(frozen=True)
class Child:
    """A child process. The terminal's Ctrl-C reaches only the supervisor."""

    name: str
    log: Path
    process: "subprocess.Popen[bytes]"

    def has_ended(self) -> bool:
        """Return whether the process has ended."""
        return self.process.poll() is not None

    def check_running(self) -> None:
        """Raise RunFailed, with the end of the log, if the process has ended."""
        if self.has_ended():
            raise RunFailed(f"{self.name} ended by itself{self._end()}")

    def check_succeeded(self) -> None:
        """Raise RunFailed, with the end of the log, if the exit code is not 0."""
        if self.process.returncode != 0:
            raise RunFailed(f"{self.name} failed{self._end()}")

    def stop(self, patience: float) -> None:
        """Terminate the process. After `patience` seconds, kill the rest of its process group."""
        with suppress(subprocess.TimeoutExpired):
            self.process.terminate()
            self.process.wait(patience)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _end(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        tail = "\n".join(f"    {line}" for line in lines)
        return f" (exit code {self.process.returncode}). The end of {self.log}:\n{tail}"


def launch(
    name: str, arguments: list[str], environ: Mapping[str, str], folder: Path, log: Path
) -> Child:
    """Start `python -m arguments...` in `folder`. Its output replaces the file `log`."""
    return launch_command(name, [sys.executable, "-m", *arguments], environ, folder, log)


def launch_command(
    name: str, command: list[str], environ: Mapping[str, str], folder: Path, log: Path
) -> Child:
    """Start a command in `folder`. Its output replaces the file `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb", opener=_for_the_owner) as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Child(name, log, process)


def _for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_APPEND, 0o600)

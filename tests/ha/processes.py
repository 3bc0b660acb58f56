"""The processes of the cluster. Each runs in a folder of its own."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from pwd import struct_passwd

from config.development import ROOT, var_folder
from config.development.children import RunFailed

TAIL_LINES = 15
RESULTS = var_folder(dict(os.environ)) / "ha"
LOGS = RESULTS / "log"


@dataclass
class Part:
    """A part of the cluster: a process that can be stopped, killed and started again.

    `folder` is the working directory of the process and of those that it starts. `user` runs it,
    or the current user if None.
    """

    name: str
    command: Sequence[str]
    folder: Path
    environ: Mapping[str, str]
    log: Path
    user: struct_passwd | None = None
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._running().pid

    def start(self) -> None:
        """Start the process. Its output is appended to the log."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=dict(self.environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self.user.pw_uid if self.user else None,
                group=self.user.pw_gid if self.user else None,
                extra_groups=[] if self.user else None,
            )

    def finish(self, seconds: float) -> None:
        """Start the process and wait for its end. Raise RunFailed if it fails."""
        self.start()
        if self._running().wait(seconds) != 0:
            raise RunFailed(f"{self.name} failed. The end of {self.log}:\n{self._log_end()}")

    def wait(self) -> int:
        """Wait for the end of the process, and return its exit code."""
        return self._running().wait()

    def stop(self, seconds: float = 30) -> None:
        """Terminate the process and wait for its end. Raise RunFailed if it takes too long."""
        process = self._running()
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise RunFailed(f"{self.name} did not stop within {seconds} s: {self.log}") from None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process only."""
        self._running().send_signal(number)

    def send_to_machine(self, number: signal.Signals) -> None:
        """Send a signal to the process and to all others that work in its folder.

        Repeat until no process is new, because a process may start another one. The postmaster
        leaves the session of Patroni, so the process group is not enough.
        """
        reached: set[int] = set()
        while new := set(processes_in(self.folder)) - reached:
            for pid in sorted(new):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            reached |= new
        if number is signal.SIGKILL:
            self._running().wait()

    def check_running(self) -> None:
        """Raise RunFailed if the process has ended."""
        if self._running().poll() is not None:
            raise RunFailed(f"{self.name} ended. The end of {self.log}:\n{self._log_end()}")

    def _log_end(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:])

    def _running(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None, f"{self.name} was not started"
        return self._process


def processes_in(folder: Path) -> Iterator[int]:
    """Yield the ids of the processes that work in a folder or below it, except this one."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            if (entry / "cwd").readlink().is_relative_to(folder):
                yield int(entry.name)


@contextmanager
def temporary_folder(logs: Path = LOGS) -> Iterator[Path]:
    """Create a folder inside the block. Afterwards, end all processes in it and delete it.

    This happens also if this process is killed: a reaper process waits for its end. It copies the
    logs to `logs`.
    """
    folder = Path(tempfile.mkdtemp(prefix="wxpass-ha-"))
    folder.chmod(0o711)  # the user of the database must reach its own folders
    command = [sys.executable, "-m", "tests.ha.reaper", str(folder), str(logs)]
    reaper = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield folder
    finally:
        reaper.communicate()

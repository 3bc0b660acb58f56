"""A gunicorn with one release of the service, and its replacement."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from config.development.children import RunFailed
from tests.e2e.upgrade.previous_release import Release
from tests.fixtures.servers.gunicorn import is_ready
from tests.ha.processes import Part, processes_in

START_SECONDS = 120
STOP_SECONDS = 60
POLL_SECONDS = 0.2


@dataclass
class Gunicorn:
    """A running gunicorn. Its master process may be replaced in place."""

    part: Part
    port: int
    release: Release

    @property
    def url(self) -> str:
        """Return the URL of the service without nginx."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start gunicorn, and wait until it is ready. Raise RunFailed if it is not."""
        self.part.start()
        # An ended process that nothing waits for would look like a running one.
        threading.Thread(target=self.part.wait, daemon=True).start()
        wait_for(f"{self.part.name} is not ready", lambda: is_ready(self.url), START_SECONDS)

    def stop(self) -> None:
        """Stop gunicorn after its running requests."""
        os.kill(self.master, signal.SIGTERM)
        wait_for(f"{self.part.name} does not stop", lambda: not self.processes, STOP_SECONDS)

    @property
    def master(self) -> int:
        """Return the process id of the master."""
        return int((self.part.folder / "gunicorn.pid").read_text())

    @property
    def processes(self) -> list[int]:
        """Return the process ids of all masters and workers."""
        return list(processes_in(self.part.folder))

    @property
    def workers(self) -> list[int]:
        """Return the process ids of the workers, of two masters during a replacement."""
        parents = dict(_parents(self.processes))
        return sorted(
            pid
            for pid, parent in parents.items()
            if parent in parents and pid not in parents.values()
        )

    def reload(self) -> None:
        """Run the command of `make reload`. Raise RunFailed if it fails."""
        command = [sys.executable, "-m", "config.reload"]
        done = subprocess.run(
            command,
            cwd=self.part.folder,
            env=dict(self.part.environ),
            capture_output=True,
            text=True,
            timeout=START_SECONDS + STOP_SECONDS,
            check=False,
        )
        if done.returncode:
            raise RunFailed(f"config.reload: {done.stdout}{done.stderr}")

    def hang_up(self) -> None:
        """Replace the processes with SIGHUP, as `systemctl reload` does."""
        first = self.processes
        os.kill(self.master, signal.SIGHUP)
        wait_for(
            "SIGHUP does not replace the processes",
            lambda: self._is_replaced(first),
            START_SECONDS + STOP_SECONDS,
        )

    def _is_replaced(self, first: list[int]) -> bool:
        return not set(first) & set(self.processes) and len(self.workers) >= 2


def wait_for(failure: str, condition: Callable[[], object], seconds: float) -> None:
    """Wait for a condition. Raise RunFailed with the text if it takes too long."""
    give_up_at = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up_at:
            raise RunFailed(f"{failure} within {seconds:.0f} s")
        time.sleep(POLL_SECONDS)


def _parents(pids: list[int]) -> Iterator[tuple[int, int]]:
    for pid in pids:
        with suppress(OSError):
            # The name of the program, in parentheses, may contain blanks.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            yield pid, int(fields[1])

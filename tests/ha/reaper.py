"""End all processes of a cluster when the test ends, however it ends: `... reaper FOLDER LOGS`.

The process waits until its standard input is closed. The kernel closes it also when the test is
killed. Servers that have started processes of their own cannot end them in that case.
"""

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from tests.ha.processes import processes_in

ATTEMPTS = 100


def kill_all(folder: Path) -> None:
    """Kill every process of the cluster. A process may have started another one, so repeat."""
    for _ in range(ATTEMPTS):
        pids = set(processes_in(folder))
        if not pids:
            return
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def keep_logs(folder: Path, logs: Path) -> None:
    """Copy the logs of the cluster. They replace those of the previous test."""
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    for log in folder.glob("*.log"):
        shutil.copy(log, logs)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    cluster, kept = Path(sys.argv[1]), Path(sys.argv[2])
    kill_all(cluster)
    keep_logs(cluster, kept)
    shutil.rmtree(cluster, ignore_errors=True)

"""CPU time of the processes of the service and of PostgreSQL."""

import time
from dataclasses import dataclass

import psutil

IDLE_SHARE = 0.1  # of one processor
POLL_SECONDS = 0.25  # longer than the service waits for WeChat, which uses no CPU
TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Costs:
    """Seconds of CPU time since the processes started."""

    service: float
    database: float

    def since(self, before: "Costs") -> "Costs":
        """Return the CPU time since an earlier measurement."""
        return Costs(self.service - before.service, self.database - before.database)


def costs_of(service: int, postmaster: int) -> Costs:
    """Return the CPU time of gunicorn and PostgreSQL by the process ids of their main processes."""
    return Costs(tree_seconds(service), tree_seconds(postmaster))


def wait_until_idle(service: int) -> None:
    """Wait until gunicorn uses almost no CPU, at most 60 seconds.

    When the load generator ends, it disconnects, and gunicorn still processes the open requests.
    They would slow down the next run.
    """
    until = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < until:
        before = tree_seconds(service)
        time.sleep(POLL_SECONDS)
        if tree_seconds(service) - before < IDLE_SHARE * POLL_SECONDS:
            return


def tree_seconds(pid: int) -> float:
    """Return the CPU time of a process, its descendants and its ended children, in seconds."""
    parent = psutil.Process(pid)
    times = parent.cpu_times()
    ended = times.children_user + times.children_system
    family = [parent, *parent.children(recursive=True)]
    return float(ended) + sum(process_seconds(process) for process in family)


def process_seconds(process: psutil.Process) -> float:
    """Return the CPU time of one process in seconds, or 0 if the process has just ended."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0
    return float(times.user + times.system)


def resident_megabytes(pid: int) -> list[float]:
    """Return the resident memory of each gunicorn worker, by the id of the main process."""
    workers = psutil.Process(pid).children()
    return [worker.memory_info().rss / 2**20 for worker in workers]

"""CPU time of requests, in the processes of the service and of PostgreSQL."""

import time
from dataclasses import dataclass

import psutil

IDLE_SHARE = 0.1  # of one processor
POLL_SECONDS = 0.25  # longer than a call to WeChat, which uses no CPU
TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Costs:
    """Seconds of CPU time since the processes started."""

    service: float
    database: float

    def since(self, before: "Costs") -> "Costs":
        """Return the difference to an earlier measurement."""
        return Costs(self.service - before.service, self.database - before.database)


def costs_of(service: int, postmaster: int) -> Costs:
    """Return the CPU time of two process trees."""
    return Costs(tree_seconds(service), tree_seconds(postmaster))


def wait_until_idle(service: int) -> None:
    """Wait until the requests abandoned by the load generator are finished.

    gunicorn finishes a request after the client has disconnected, which would slow down the next
    run.
    """
    until = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < until:
        before = tree_seconds(service)
        time.sleep(POLL_SECONDS)
        if tree_seconds(service) - before < IDLE_SHARE * POLL_SECONDS:
            return


def tree_seconds(pid: int) -> float:
    """Return the CPU time of a process and its descendants, including ended ones."""
    parent = psutil.Process(pid)
    times = parent.cpu_times()
    ended = times.children_user + times.children_system
    family = [parent, *parent.children(recursive=True)]
    return float(ended) + sum(process_seconds(process) for process in family)


def process_seconds(process: psutil.Process) -> float:
    """Return the CPU time of one process, or 0 if it has just ended."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0
    return float(times.user + times.system)


def resident_megabytes(pid: int) -> list[float]:
    """Return the resident memory of each worker of a gunicorn."""
    workers = psutil.Process(pid).children()
    return [worker.memory_info().rss / 2**20 for worker in workers]

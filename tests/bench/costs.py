"""What requests cost: seconds of the processors, in the service's processes and PostgreSQL's."""

import time
from dataclasses import dataclass

import psutil

IDLE_SHARE = 0.1  # of one processor
LOOK_EVERY = 0.25  # longer than WeChat takes: who waits for it does no work
PATIENCE = 60.0


@dataclass(frozen=True)
class Costs:
    """Seconds that processors have worked since the processes began."""

    service: float
    database: float

    def since(self, before: "Costs") -> "Costs":
        """Give what was spent meanwhile."""
        return Costs(self.service - before.service, self.database - before.database)


def costs_of(service: int, postmaster: int) -> Costs:
    """Read what two families of processes have spent."""
    return Costs(family_seconds(service), family_seconds(postmaster))


def wait_until_idle(service: int) -> None:
    """Wait until what the load generator no longer waits for is answered all the same.

    gunicorn finishes a request whose client has gone; the next run would pay for it.
    """
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        before = family_seconds(service)
        time.sleep(LOOK_EVERY)
        if family_seconds(service) - before < IDLE_SHARE * LOOK_EVERY:
            return


def family_seconds(pid: int) -> float:
    """Add up a process and all below it, those that have ended too."""
    parent = psutil.Process(pid)
    times = parent.cpu_times()
    ended = times.children_user + times.children_system
    family = [parent, *parent.children(recursive=True)]
    return float(ended) + sum(own_seconds(one) for one in family)


def own_seconds(process: psutil.Process) -> float:
    """Read what one process has spent; nothing of one that has just ended."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0
    return float(times.user + times.system)


def resident_megabytes(pid: int) -> list[float]:
    """Say how much memory each worker of a gunicorn holds."""
    workers = psutil.Process(pid).children()
    return [worker.memory_info().rss / 2**20 for worker in workers]

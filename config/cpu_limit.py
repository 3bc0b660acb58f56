"""The number of CPUs that this process may use."""

import math
import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")


def usable_cpus(cgroups: Path = CGROUPS, own_cgroups: Path = OWN_CGROUPS) -> int:
    """Return the number of CPUs that this process may use, at least 1.

    It is the smallest of the host's CPUs, the CPU affinity, and the CPU limits of the process's
    control group and the groups above it. Containers and systemd's CPUQuota set such limits. A
    limit of 1.5 CPUs counts as 2.
    """
    cpus = float(_cpus_of_affinity())
    for folder in _own_folders(cgroups, own_cgroups):
        cpus = min(cpus, _limit_v2(folder), _limit_v1(folder))
    return max(1, math.ceil(cpus))


def _cpus_of_affinity() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux has it
        return os.cpu_count() or 1


def _own_folders(cgroups: Path, own_cgroups: Path) -> list[Path]:
    """Return the folders of the control groups of this process, and of all groups above them.

    A line of `own_cgroups` is `0::/path` for version 2, and `4:cpu,cpuacct:/path` for version 1. A
    container sees its own group as the root, or the host's path, which it cannot open.
    """
    folders = [cgroups, cgroups / "cpu"]
    for line in _read(own_cgroups).splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            root = cgroups
        elif "cpu" in controllers.split(","):
            root = cgroups / "cpu"
        else:
            continue
        own = root / path.lstrip("/")
        folders += [own, *(above for above in own.parents if root in above.parents)]
    return folders


def _limit_v2(folder: Path) -> float:
    """Return the limit in `cpu.max`: microseconds of CPU time, or "max", and the period."""
    numbers = _read(folder / "cpu.max").split()
    if len(numbers) != 2 or numbers[0] == "max":
        return math.inf
    return int(numbers[0]) / int(numbers[1])


def _limit_v1(folder: Path) -> float:
    """Return the limit in `cpu.cfs_quota_us`. -1 means no limit."""
    quota, period = (_read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
    if not quota or not period or int(quota) <= 0:
        return math.inf
    return int(quota) / int(period)


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""

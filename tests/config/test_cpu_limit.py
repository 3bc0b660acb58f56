"""config/cpu_limit.py: CPU limits of control groups, in the file formats of Linux."""

import os
from pathlib import Path

import pytest

from config.cpu_limit import usable_cpus


@pytest.fixture
def own_cgroups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that names the control groups of this process, on a host with 64 CPUs."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    file = tmp_path / "own_cgroups"
    file.write_text("0::/\n")
    return file


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.mark.parametrize(
    ("limit", "cpus"),
    [
        ("max 100000\n", 64),
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("50000 100000\n", 1),
        ("6400000 50000\n", 64),
    ],
)
def test_container_limit_of_version_2_is_rounded_up(
    tmp_path: Path, own_cgroups: Path, limit: str, cpus: int
) -> None:
    write(tmp_path / "cgroup" / "cpu.max", limit)
    assert usable_cpus(tmp_path / "cgroup", own_cgroups) == cpus


@pytest.mark.parametrize(("quota", "cpus"), [("-1", 64), ("300000", 3), ("20000", 1)])
def test_container_limit_of_version_1_is_rounded_up(
    tmp_path: Path, own_cgroups: Path, quota: str, cpus: int
) -> None:
    write(tmp_path / "cgroup" / "cpu" / "cpu.cfs_quota_us", f"{quota}\n")
    write(tmp_path / "cgroup" / "cpu" / "cpu.cfs_period_us", "100000\n")
    assert usable_cpus(tmp_path / "cgroup", own_cgroups) == cpus


def test_limit_of_a_group_above_counts(tmp_path: Path, own_cgroups: Path) -> None:
    """systemd writes CPUQuota to the group of the unit or of its slice."""
    own_cgroups.write_text("0::/system.slice/wxpass.service/worker\n")
    folder = tmp_path / "cgroup" / "system.slice"
    write(folder / "wxpass.service" / "worker" / "cpu.max", "max 100000\n")
    write(folder / "wxpass.service" / "cpu.max", "800000 100000\n")
    write(folder / "cpu.max", "400000 100000\n")
    assert usable_cpus(tmp_path / "cgroup", own_cgroups) == 4


def test_own_group_of_version_1_counts(tmp_path: Path, own_cgroups: Path) -> None:
    own_cgroups.write_text("5:memory:/docker/a\n4:cpu,cpuacct:/docker/b\n")
    write(tmp_path / "cgroup" / "cpu" / "docker" / "b" / "cpu.cfs_quota_us", "200000\n")
    write(tmp_path / "cgroup" / "cpu" / "docker" / "b" / "cpu.cfs_period_us", "100000\n")
    assert usable_cpus(tmp_path / "cgroup", own_cgroups) == 2


def test_cpu_affinity_counts(
    tmp_path: Path, own_cgroups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {4, 5, 6}, raising=False)
    assert usable_cpus(tmp_path / "cgroup", own_cgroups) == 3


def test_host_without_control_groups_uses_all_cpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert usable_cpus(tmp_path / "none", tmp_path / "none") == 7

"""The files of the processes: ended processes, merged counters, and values of the service."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from config.metrics.exposition import render
from config.metrics.folder import (
    SNAPSHOT,
    empty_folder,
    ended_processes,
    forget_process,
    new_folder,
    remove_if_private,
)
from config.metrics.snapshot import LONGEST_AGE_SECONDS, Value, recent_values, renew

WRITE = """
import sys
import prometheus_client as p
registry = p.CollectorRegistry()
p.Counter("wxpass_test", "A counter.", ["app"], registry=registry).labels("wx1").inc(3)
p.Histogram("wxpass_test_seconds", "A histogram.", registry=registry, buckets=[1, 2]).observe(1.5)
live = dict(registry=registry, multiprocess_mode="livesum")
p.Gauge("wxpass_test_gauge", "A gauge.", **live).set(1)
"""
USERS = Value("wxpass_users", "Users.", {}, 3.0)
JOB = Value("wxpass_job", "Jobs.", {"job": "backup"}, 4.5)


def run_process(folder: Path) -> None:
    """Run a process that writes metrics and ends."""
    environ = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    subprocess.run([sys.executable, "-c", WRITE], env=environ, check=True, timeout=60)


def test_counters_of_ended_processes_are_kept_in_one_file_and_gauges_are_deleted(
    tmp_path: Path,
) -> None:
    for _ in range(3):
        run_process(tmp_path)
    assert len(ended_processes(tmp_path)) == 3
    for _ in range(2):
        text = render(tmp_path).decode()
        assert 'wxpass_test_total{app="wx1"} 9.0' in text
        assert 'wxpass_test_seconds_bucket{le="1.0"} 0.0' in text
        assert 'wxpass_test_seconds_bucket{le="2.0"} 3.0' in text
        assert "wxpass_test_seconds_sum 4.5" in text
        assert "wxpass_test_gauge" not in text
    assert {file.name for file in tmp_path.iterdir()} == {"counter_0.db", "histogram_0.db"}


def test_empty_file_of_a_starting_process_is_ignored(tmp_path: Path) -> None:
    (tmp_path / f"counter_{os.getpid()}.db").touch()
    assert render(tmp_path) == b""


def test_live_gauges_of_an_ended_process_are_deleted(tmp_path: Path) -> None:
    for name in ("gauge_livesum_7.db", "gauge_liveall_7.db", "gauge_livesum_77.db", "counter_7.db"):
        (tmp_path / name).touch()
    forget_process(tmp_path, 7)
    assert {file.name for file in tmp_path.iterdir()} == {"gauge_livesum_77.db", "counter_7.db"}


def test_start_deletes_the_values_of_an_earlier_start_only(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "metrics"
    empty_folder(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    for name in ("counter_7.db", "gauge_livesum_7.db", SNAPSHOT, "users.db", "notes"):
        (folder / name).touch()
    empty_folder(folder)
    assert {file.name for file in folder.iterdir()} == {"users.db", "notes"}


def test_only_folders_of_the_service_are_removed(tmp_path: Path) -> None:
    remove_if_private(tmp_path)
    assert tmp_path.exists()
    folder = new_folder()
    assert folder.stat().st_mode & 0o777 == 0o700
    remove_if_private(folder)
    assert not folder.exists()


def test_values_of_the_service_are_read_at_most_once_per_minute(tmp_path: Path) -> None:
    assert renew(tmp_path, lambda: [USERS, JOB])
    assert not renew(tmp_path, lambda: [JOB])
    assert [*recent_values(tmp_path)] == [USERS, JOB]
    a_minute_ago = time.time() - 61
    os.utime(tmp_path / SNAPSHOT, (a_minute_ago, a_minute_ago))
    assert renew(tmp_path, lambda: [JOB])
    assert [*recent_values(tmp_path)] == [JOB]
    text = render(tmp_path).decode()
    assert 'wxpass_job{job="backup"} 4.5' in text
    assert "wxpass_users" not in text


def test_values_that_no_worker_renews_are_not_exported(tmp_path: Path) -> None:
    renew(tmp_path, lambda: [USERS])
    old = time.time() - LONGEST_AGE_SECONDS - 1
    os.utime(tmp_path / SNAPSHOT, (old, old))
    assert render(tmp_path) == b""


def test_failed_reading_leaves_the_earlier_values(tmp_path: Path) -> None:
    def fail() -> list[Value]:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        renew(tmp_path, fail)
    assert [*recent_values(tmp_path)] == []
    assert renew(tmp_path, lambda: [USERS])
    assert json.loads((tmp_path / SNAPSHOT).read_text()) == [["wxpass_users", "Users.", {}, 3.0]]

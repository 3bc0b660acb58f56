"""`make bench-scale`: options, refusal without disk space, and a small run."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from config.development import ROOT
from config.development.children import RunFailed
from tests.bench.command import INTERRUPTED
from tests.bench.scale.__main__ import check_disk, parse_arguments

Usage = namedtuple("Usage", "total used free")


def test_too_little_disk_space_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, 20 * 10**9))
    check_disk(tmp_path, parse_arguments(["--users", "10000", "1000000"]))
    with pytest.raises(RunFailed, match="20 GB free, and 45 GB are needed"):
        check_disk(tmp_path / "missing", parse_arguments([]))
    with pytest.raises(RunFailed, match="needed"):
        check_disk(tmp_path, parse_arguments(["--users", "4000000", "3000000", "--keep"]))


def test_make_passes_the_sizes() -> None:
    command = ["make", "--dry-run", "bench-scale", "SCALE_USERS=1000 2000", "ARGS=--runs 1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "tests.bench.scale --users 1000 2000 --runs 1" in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("wrk"), reason="needs wrk")
def test_a_small_run_measures_everything_and_removes_what_it_created(tmp_path: Path) -> None:
    options = ["--users", "2000", "--seconds", "1", "--runs", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.scale", *options],
        cwd=ROOT,
        env={**os.environ, "WXPASS_VAR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert sorted(path.name for path in (tmp_path / "bench").iterdir()) == [
        "scale.json",
        "scale.md",
    ]
    assert list((tmp_path / "bench-scale").iterdir()) == []
    [size] = json.loads((tmp_path / "bench" / "scale.json").read_text())["sizes"]
    costs = [*size["warm"].values(), *size["cold"].values(), size["compressed"]]
    assert all(cost["errors"] == 0 and cost["rate"] > 0 for cost in costs)
    login, check = size["warm"]["login, known person"], size["warm"]["GET /v1/verify"]
    assert login["record_bytes"] > 1000 > check["record_bytes"]
    assert size["cold"]["login, known person"]["pages_read"] > login["pages_read"]
    assert size["space_after"]["tables"]["login_sessions"]["rows"] > 3000
    assert size["retention"]["rows due"]["deleted"] > 0


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("wrk"), reason="needs wrk")
def test_an_interrupted_run_removes_what_it_created(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.scale", "--users", "2000"],
        cwd=ROOT,
        env={**os.environ, "WXPASS_VAR": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr is not None
        while "users: " not in (line := running.stderr.readline()):
            assert line, "the command ended early"
        running.send_signal(signal.SIGTERM)
        running.stderr.read()
    assert running.returncode == INTERRUPTED
    assert list((tmp_path / "bench-scale").iterdir()) == []

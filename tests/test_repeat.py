"""Random seeds of `make test-repeat`."""

import subprocess
import sys
from typing import Any

import pytest

from tests import repeat
from tests.fixtures.profiles import settings


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """Replace subprocess.run. Return the list of started pytest runs. The third run fails."""
    started: list[tuple[list[str], dict[str, str]]] = []

    def run(command: list[str], env: dict[str, str], **_: Any) -> Any:
        started.append((command, env))
        return subprocess.CompletedProcess(command, 1 if len(started) == 3 else 0)

    monkeypatch.setattr(repeat.subprocess, "run", run)
    return started


def test_each_run_of_test_repeat_has_a_different_seed(runs: list[Any], capsys: Any) -> None:
    """The seed determines every random choice, and is printed before the run."""
    assert repeat.repeat(2, None, ["-n", "1"]) == 0
    seeds = [env["PYTHONHASHSEED"] for _, env in runs]
    assert len(set(seeds)) == 2
    printed = capsys.readouterr().out
    for (command, env), seed in zip(runs, seeds, strict=True):
        assert command == [sys.executable, "-m", "pytest", f"--hypothesis-seed={seed}", "-n", "1"]
        assert env["TEST_ORDER_SEED"] == seed
        assert f"seed {seed} / " in printed
        assert not settings.get_profile(env["HYPOTHESIS_PROFILE"]).derandomize


def test_test_repeat_stops_after_a_failed_run_and_prints_its_seed(
    runs: list[Any], capsys: Any
) -> None:
    """The printed command repeats the failed run."""
    assert repeat.repeat(20, None, ["tests/test_x.py"]) == 1
    assert len(runs) == 3
    seed = runs[-1][1]["PYTHONHASHSEED"]
    command = f'make test-repeat N=1 SEED={seed} ARGS="tests/test_x.py"'
    assert capsys.readouterr().out.count(command) == 2, "in both languages"


def test_test_repeat_uses_the_seed_from_the_command_line(runs: list[Any]) -> None:
    assert repeat.repeat(1, 7, []) == 0
    assert runs[0][0][-1] == "--hypothesis-seed=7"

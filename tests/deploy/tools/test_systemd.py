"""systemd-analyze: the units of deploy/systemd are valid and hardened."""

import re
import shutil
from pathlib import Path

import pytest

from tests.deploy.tools.programs import DEPLOY, ROOT, run

FOLDER = DEPLOY / "systemd"
UNITS = sorted(path.name for path in FOLDER.glob("wxpass*.*"))
SERVICES = [name for name in UNITS if name.endswith(".service")]
PROGRAMS = (
    "opt/wxpass/.venv/bin/gunicorn",
    "opt/wxpass/.venv/bin/flask",
    "opt/wxpass/deploy/backup/backup.sh",
    "bin/kill",
)
MOST_EXPOSED = 1.5  # of 10
SCORE = re.compile(r"Overall exposure level for \S+: ([\d.]+)")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A root with the units, installed as docs/deployment.md says, and systemd's own."""
    units = tmp_path / "etc" / "systemd" / "system"
    units.mkdir(parents=True)
    shutil.copytree("/usr/lib/systemd/system", tmp_path / "usr/lib/systemd/system", symlinks=True)
    for name in UNITS:
        shutil.copy(FOLDER / name, units)
    for name in SERVICES:
        (units / f"{name}.d").mkdir()
        shutil.copy(FOLDER / "hardening.conf", units / f"{name}.d")
    for name in PROGRAMS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def verify(machine: Path, name: str, ok: bool = True) -> str:
    """Return what systemd-analyze finds wrong with a unit."""
    name = name.replace("@.", "@wxpass.")
    options = ("verify", "--man=no", "--recursive-errors=no", f"--root={machine}")
    return run("systemd-analyze", *options, f"{machine}/etc/systemd/system/{name}", ok=ok)


@pytest.mark.parametrize("name", UNITS)
def test_systemd_finds_nothing_wrong_with_a_unit(machine: Path, name: str) -> None:
    assert verify(machine, name) == ""


def test_systemd_analyze_names_a_misspelt_setting(machine: Path) -> None:
    unit = machine / "etc/systemd/system/wxpass.service"
    unit.write_text(unit.read_text().replace("WorkingDirectory=", "WorkingFolder="))
    assert "WorkingFolder" in verify(machine, unit.name, ok=False)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_hardly_exposed(machine: Path, name: str) -> None:
    output = run(
        "systemd-analyze",
        "security",
        "--offline=yes",
        f"--root={machine}",
        name.replace("@.", "@wxpass."),
    )
    score = SCORE.search(output)
    assert score, output
    print(f"\n{name}: exposure {score[1]} of 10", end="")
    assert float(score[1]) <= MOST_EXPOSED


def test_each_program_and_setting_of_the_units_exists() -> None:
    text = "".join((FOLDER / name).read_text() for name in SERVICES)
    assert set(re.findall(r"^ExecStart=/opt/(?:wxpass|%i)/(\S+)", text, re.MULTILINE)) <= {
        path.removeprefix("opt/wxpass/") for path in PROGRAMS
    }
    assert (ROOT / "config" / "gunicorn.conf.py").exists()
    for timer in FOLDER.glob("*.timer"):
        assert timer.with_suffix(".service").exists()

"""promtool: the configuration and the rules in deploy/prometheus."""

import shutil
from pathlib import Path

import pytest

from tests.deploy.tools.programs import DEPLOY, run

FOLDER = DEPLOY / "prometheus"

pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="deploy/prometheus does not exist")


def test_promtool_accepts_the_rules() -> None:
    rules = sorted(map(str, FOLDER.glob("rules/*.yml")))
    assert rules
    run("promtool", "check", "rules", *rules)


def test_promtool_accepts_the_configuration(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "prometheus")
    run("promtool", "check", "config", str(tmp_path / "prometheus" / "prometheus.yml"))

"""promtool: the configuration, the rules and the queries of the dashboards."""

import shutil
from pathlib import Path

import yaml

from tests.deploy.monitoring.test_dashboards import DASHBOARDS, expressions
from tests.deploy.tools.programs import DEPLOY, run

FOLDER = DEPLOY / "prometheus"


def test_promtool_accepts_the_rules() -> None:
    rules = sorted(map(str, FOLDER.glob("rules/*.yml")))
    assert rules
    run("promtool", "check", "rules", *rules)


def test_promtool_accepts_the_configuration(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "prometheus")
    run("promtool", "check", "config", str(tmp_path / "prometheus" / "prometheus.yml"))


def test_alerts_fire_and_stay_silent_as_their_tests_say() -> None:
    run("promtool", "test", "rules", str(FOLDER / "tests" / "alerts.yml"))


def test_an_alert_that_does_not_fire_fails_its_test(tmp_path: Path) -> None:
    copy = shutil.copytree(FOLDER, tmp_path / "prometheus")
    rules = copy / "rules" / "alerts.yml"
    rules.write_text(rules.read_text().replace("wxpass_caches_on == 0", "wxpass_caches_on == 2"))
    output = run("promtool", "test", "rules", str(copy / "tests" / "alerts.yml"), ok=False)
    assert "WxpassCachesOff fires" in output


def test_promtool_accepts_the_queries_of_the_dashboards(tmp_path: Path) -> None:
    queries = [
        one.replace("$__rate_interval", "5m").replace("$app", ".*")
        for path in DASHBOARDS
        for one in expressions(path)
        if one and not one.startswith("label_values")
    ]
    assert len(queries) > 50
    rules = [{"record": f"query:{number}", "expr": one} for number, one in enumerate(queries)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    run("promtool", "check", "rules", str(file))

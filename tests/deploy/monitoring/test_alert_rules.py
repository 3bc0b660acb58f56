"""The alert rules of Prometheus: their tests and runbooks."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RUNBOOKS = ROOT / "docs" / "runbooks"
ENGLISH = sorted(path for path in RUNBOOKS.glob("*.md") if ".zh-CN" not in path.name)


def rules(name: str) -> list[dict[str, Any]]:
    """Return the rules of a file in deploy/prometheus/rules."""
    groups = yaml.safe_load((PROMETHEUS / "rules" / f"{name}.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in rules("alerts")}


def test_every_alert_is_tested_to_fire_and_to_stay_silent() -> None:
    tests = yaml.safe_load((PROMETHEUS / "tests" / "alerts.yml").read_text())["tests"]
    names = [test["name"] for test in tests]
    assert sorted(names) == sorted(
        f"{alert} {outcome}" for alert in ALERTS for outcome in ("fires", "is silent")
    )
    for test in tests:
        (checked,) = test["alert_rule_test"]
        assert test["name"].startswith(checked["alertname"])
        assert bool(checked.get("exp_alerts")) == test["name"].endswith("fires")


@pytest.mark.parametrize("alert", ALERTS)
@pytest.mark.parametrize("language", ["", ".zh-CN"])
def test_every_alert_has_a_runbook_that_names_it(alert: str, language: str) -> None:
    page = ALERTS[alert]["annotations"]["runbook"].removesuffix(".md")
    assert f"`{alert}`" in (ROOT / f"{page}{language}.md").read_text()


@pytest.mark.parametrize("language", ["", ".zh-CN"])
def test_the_list_of_runbooks_names_every_alert_with_its_page(language: str) -> None:
    text = (RUNBOOKS / f"index{language}.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| \[[^]]+\]\((.+)\) \|$", text, re.MULTILINE)
    pages = {
        name: f"{Path(rule['annotations']['runbook']).stem}{language}.md"
        for name, rule in ALERTS.items()
    }
    assert dict(rows) == pages
    assert len(rows) == len(pages)


def test_every_runbook_belongs_to_an_alert() -> None:
    pages = {path.stem for path in RUNBOOKS.glob("*.md") if ".zh-CN" not in path.name}
    assert pages - {"index"} == {
        Path(rule["annotations"]["runbook"]).stem for rule in ALERTS.values()
    }


@pytest.mark.parametrize("page", ENGLISH, ids=lambda path: path.stem)
def test_the_chinese_runbook_has_the_structure_of_the_english_one(page: Path) -> None:
    """Both have the same headings and steps, the same code names, and link to each other."""
    english = page.read_text()
    chinese = page.with_name(f"{page.stem}.zh-CN.md").read_text()
    for pattern in (r"^#+ |^\d+\. ", r"`[^`\n]+`"):
        found = re.findall(pattern, english, re.MULTILINE)
        assert sorted(re.findall(pattern, chinese, re.MULTILINE)) == sorted(found)
    assert f"中文说明见 [{page.stem}.zh-CN.md]({page.stem}.zh-CN.md)." in english
    assert f"English: [{page.stem}.md]({page.stem}.md)" in chinese


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_severity_and_a_duration(alert: str) -> None:
    assert ALERTS[alert]["labels"]["severity"] in {"critical", "warning"}
    assert re.fullmatch(r"\d+[mh]", ALERTS[alert]["for"])

"""The dashboards of Grafana: metrics that exist, and a layout without overlaps."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
DASHBOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
RULES = sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"))
METRIC = re.compile(r"(?<![:\w])wxpass_\w+")
RECORDED = re.compile(r"[\w]+:wxpass_\w+:\w+|wxpass:\w+:\w+")
SUFFIX = re.compile(r"_(bucket|count|sum)$")


def read(path: Path) -> dict[str, Any]:
    """Return a dashboard."""
    board: dict[str, Any] = json.loads(path.read_text())
    return board


def expressions(path: Path) -> Iterator[str]:
    """Yield the PromQL expressions of a dashboard, and the queries of its variables."""
    for panel in read(path)["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    for variable in read(path)["templating"]["list"]:
        yield variable.get("definition", "")


def rule_values(field: str) -> list[str]:
    """Return one field of all rules that have it."""
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule[field] for group in groups for rule in group["rules"] if field in rule]


def documented_metrics() -> set[str]:
    """Return the metrics in the tables of docs/monitoring.md."""
    text = (ROOT / "docs" / "monitoring.md").read_text()
    return set(re.findall(r"^\| `(wxpass_\w+)`", text, re.MULTILINE))


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_uses_only_existing_metrics_and_recording_rules(path: Path) -> None:
    text = "\n".join(expressions(path))
    assert set(RECORDED.findall(text)) <= set(rule_values("record"))
    used = {SUFFIX.sub("", name) for name in METRIC.findall(RECORDED.sub("", text))}
    assert used <= documented_metrics()


def test_the_rules_use_only_existing_metrics() -> None:
    text = "\n".join(rule_values("expr"))
    assert set(RECORDED.findall(text)) <= set(rule_values("record"))
    used = {SUFFIX.sub("", name) for name in METRIC.findall(RECORDED.sub("", text))}
    assert used <= documented_metrics()


def test_every_metric_is_on_a_dashboard_or_in_a_rule() -> None:
    text = "\n".join([*(e for path in DASHBOARDS for e in expressions(path)), *rule_values("expr")])
    names = {SUFFIX.sub("", name) for name in METRIC.findall(text)}
    assert documented_metrics() <= names


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_the_panels_of_a_dashboard_do_not_overlap_and_have_titles(path: Path) -> None:
    panels = read(path)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["title"] for panel in panels)
    for one, other in combinations([panel["gridPos"] for panel in panels], 2):
        assert (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)


def test_the_dashboards_have_distinct_ids_and_link_to_each_other() -> None:
    boards = [read(path) for path in DASHBOARDS]
    assert len({board["uid"] for board in boards}) == len(boards) == 4
    assert all("wxpass" in board["tags"] and board["links"] for board in boards)

"""docs/monitoring.md lists the events of the log, and has a section for each remedy."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import FAILURES
from app.errors.severity import BY_CODE, BY_ERRCODE, PAGE
from tests.guards.test_docs import DOCS, ROOT, anchors_of

ROW = re.compile(r"^\| ((?:`[a-z_]+`(?:, |、)?)+) \| (info|warning|error|see|见)", re.MULTILINE)
LEVELS = {"info", "warning", "error"}


def events_logged() -> Iterator[tuple[str, str]]:
    """Yield name and level of each event that the service logs."""
    for path in sorted((ROOT / "app").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called, first = ast.unparse(node.func), node.args[0]
            if called == "Context().run":
                called, first = ast.unparse(first), node.args[1]
            of_log, _, level = called.partition(".")
            if of_log == "log" and level in LEVELS and isinstance(first, ast.Constant):
                yield str(first.value), level


@pytest.mark.parametrize("language", ["", ".zh-CN"])
def test_the_page_lists_every_event_of_the_log_with_its_level(language: str) -> None:
    text = (DOCS / f"monitoring{language}.md").read_text()
    rows = ROW.findall(text)
    listed = {name: level for names, level in rows for name in re.findall(r"`(\w+)`", names)}
    # Named after an action in the audit log.
    for name in ("operator_sign_in_failed", "operator_step_up_failed", "operator_code_failed"):
        assert listed.pop(name) == "warning"
    del listed["request"]  # Its level depends on the severity.
    logged = dict(events_logged())
    assert len(logged) > 25
    assert {name: logged[name] for name in logged if listed.get(name) != logged[name]} == {}
    assert set(listed) - set(logged) == set()


def test_every_remedy_is_a_section_of_the_page() -> None:
    anchors = anchors_of((DOCS / "monitoring.md").read_text())
    for severity in (*BY_CODE.values(), *BY_ERRCODE.values()):
        if severity.remedy:
            assert severity.remedy.removeprefix(PAGE) in anchors


def test_every_server_error_has_a_severity_of_its_own() -> None:
    """A new code with status 5xx needs a decision: a fault, a warning or an overload."""
    codes = {code for code, failure in FAILURES.items() if failure.status >= 500}
    assert codes - set(BY_CODE) == set()
    assert set(BY_CODE) <= set(FAILURES)


def test_this_file_reads_the_page_of_the_remedies() -> None:
    assert (Path(ROOT) / PAGE.removesuffix("#")).exists()

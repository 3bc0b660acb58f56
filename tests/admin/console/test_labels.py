"""Labels of audit actions and session end reasons."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from app.admin.console.labels import ACTIONS, ENDED

SERVICES = Path(__file__).parents[3] / "app/services"
ACTION = re.compile(
    r"(account|alert|alert_channel|alert_mute|app|app_claim|consent|encryption_key|operator|phone|profile|sessions?|signing_key|social_account|tenant|users?|visitors?)\.[a-z_]+"
)


def test_the_console_has_a_label_for_every_audit_action() -> None:
    texts = {
        text
        for tree in service_trees()
        for text in string_constants(tree)
        if ACTION.fullmatch(text)
    }
    assert texts == set(ACTIONS)


def test_the_console_has_a_label_for_every_end_reason_of_a_session() -> None:
    calls = [
        node for tree in service_trees() for node in ast.walk(tree) if isinstance(node, ast.Call)
    ]
    ends = [call for call in calls if ast.unparse(call.func) in ("end_sessions_statement", "_end")]
    reasons = {text for end in ends for arg in end.args[:3] for text in string_constants(arg)}
    assert len(reasons - {"signed_out"}) > 10
    assert reasons - {"signed_out"} <= set(ENDED)


def service_trees() -> Iterator[ast.Module]:
    """Yield the syntax tree of every module in app/services."""
    return (ast.parse(path.read_text()) for path in SERVICES.rglob("*.py"))


def string_constants(tree: ast.AST) -> Iterator[str]:
    """Yield the string constants of a syntax tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value

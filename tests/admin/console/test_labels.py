"""What is kept as a code is shown in words."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from app.admin.console.labels import ACTIONS, ENDED

SERVICES = Path(__file__).parents[3] / "app/services"
ACTION = re.compile(
    r"(account|app|app_claim|consent|encryption_key|operator|phone|profile|sessions?|signing_key|social_account|tenant|users?|visitors?)\.[a-z_]+"
)


def test_every_action_has_words() -> None:
    """Otherwise the audit trail speaks in codes, and its filter lacks one."""
    texts = {text for tree in trees() for text in texts_of(tree) if ACTION.fullmatch(text)}
    assert texts == set(ACTIONS)


def test_every_end_of_a_session_has_words() -> None:
    """Otherwise an admin reads a code where a reason belongs."""
    calls = [node for tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Call)]
    ends = [call for call in calls if ast.unparse(call.func) in ("end_sessions_statement", "_end")]
    reasons = {text for end in ends for arg in end.args[:3] for text in texts_of(arg)}
    assert len(reasons - {"signed_out"}) > 10
    assert reasons - {"signed_out"} <= set(ENDED)


def trees() -> Iterator[ast.Module]:
    """Read every service."""
    return (ast.parse(path.read_text()) for path in SERVICES.rglob("*.py"))


def texts_of(tree: ast.AST) -> Iterator[str]:
    """Give every text of a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value

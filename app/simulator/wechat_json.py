"""JSON as WeChat writes it."""

import json
from typing import Any


def to_json(payload: dict[str, Any], *, escape_slashes: bool = False) -> str:
    """Write raw Unicode without blanks, and slashes as \\/ where WeChat does so."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    # A slash in JSON stands only inside a string, where both spellings mean the same.
    return text.replace("/", "\\/") if escape_slashes else text

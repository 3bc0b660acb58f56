"""JSON in WeChat's format."""

import json
from typing import Any


def to_json(payload: dict[str, Any], *, escape_slashes: bool = False) -> str:
    """Return compact JSON with unescaped Unicode. `escape_slashes` writes a slash as \\/."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    # In JSON a slash occurs only inside strings, where both spellings are equivalent.
    return text.replace("/", "\\/") if escape_slashes else text

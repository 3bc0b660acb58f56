"""The canonical form of a pushed message, and its hash.

WeChat repeats a message with the same fields. Their order, the format (JSON or XML) and what the
format does to a value (numbers as text, a list of one, blanks, damaged characters) do not count.
"""

import hashlib
import json

from app.wechat.damaged_text import undamaged
from app.wechat.json_fields import JsonObject

# Fields of the envelope: the app's own id, and the sealed message, which is never the same twice.
ENVELOPE = frozenset({"ToUserName", "Encrypt"})


def digest_of(fields: JsonObject) -> str:
    """Hash a message's fields; raises RecursionError if they are nested too deeply."""
    content = {name: value for name, value in fields.items() if name not in ENVELOPE}
    canonical = json.dumps(_canonical(content), sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _canonical(value: object) -> object:
    if isinstance(value, dict):
        return {undamaged(name).strip(): _canonical(one) for name, one in value.items()}
    if isinstance(value, list):
        return _canonical(value[0]) if len(value) == 1 else [_canonical(one) for one in value]
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    return undamaged(text).strip()

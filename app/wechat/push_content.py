"""The canonical form of a pushed message and its hash, which identify repeated deliveries.

WeChat repeats a message with the same fields. The canonical form ignores their order, the format
(JSON or XML), and the differences between formats: numbers as text, lists of one element,
surrounding blanks, and damaged characters.
"""

import hashlib
import json

from app.wechat.damaged_text import undamaged
from app.wechat.json_fields import JsonObject

# Fields of the envelope: the id of the app, and the ciphertext, which differs in each delivery.
ENVELOPE = frozenset({"ToUserName", "Encrypt"})


def digest_of(fields: JsonObject) -> str:
    """Return the SHA-256 of the canonical form as hex. Raise RecursionError for deep nesting."""
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

"""The SHA-1 signatures of WeChat, and their comparison in constant time."""

import hashlib
import hmac


def sha1_hex(text: str) -> str:
    """Return the SHA-1 of a text as hex, as in the signatures of rawData and pushed messages."""
    # JSON may contain a lone surrogate. "surrogatepass" avoids an error; no signature matches.
    return hashlib.sha1(text.encode("utf-8", "surrogatepass")).hexdigest()  # noqa: S324


def signatures_match(expected: str, given: str) -> bool:
    """Compare signatures in constant time. Upper case does not match: WeChat writes lower case."""
    # compare_digest raises TypeError for a str that is not ASCII, so bytes are compared.
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogatepass"))

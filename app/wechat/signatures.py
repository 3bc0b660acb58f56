"""The digests WeChat signs with, and the one way to compare them."""

import hashlib
import hmac


def sha1_hex(text: str) -> str:
    """Digest text the way WeChat signs rawData and pushed messages."""
    # A lone surrogate can come in by JSON; passed through, it matches nothing WeChat ever signed.
    return hashlib.sha1(text.encode("utf-8", "surrogatepass")).hexdigest()  # noqa: S324


def signatures_match(expected: str, given: str) -> bool:
    """Compare in constant time, exactly: WeChat writes its hex digits in lower case."""
    # As bytes, since compare_digest raises TypeError for text beyond ASCII.
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogatepass"))

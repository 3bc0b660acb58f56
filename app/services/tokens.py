"""The secret strings we hand out. The database keeps only their hashes."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import token_bytes

LOGIN_PREFIX = "wxp_"
REFRESH_PREFIX = "wxr_"
SECRET_BYTES = 32
FAMILY_CHARS = 43  # 32 bytes in base64url without padding


def _secret() -> str:
    return urlsafe_b64encode(token_bytes(SECRET_BYTES)).rstrip(b"=").decode()


def token_hash(token: str) -> bytes:
    """Hash a token for keeping and finding. 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode()).digest()


def new_login_token() -> str:
    """Make a login token."""
    return LOGIN_PREFIX + _secret()


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A family, the same for as long as its session lives, and a part that rotates.

    Both parts are secret and random. Whoever shows a right family with a wrong rotating part has
    held an earlier token of it, so a reuse is recognised without keeping every old hash.
    """

    family: str = field(repr=False)
    rotating: str = field(repr=False)

    @classmethod
    def first(cls) -> "RefreshToken":
        """Make the first token of a new family."""
        return cls(_secret(), _secret())

    @classmethod
    def of_family(cls, family: str) -> "RefreshToken":
        """Make the next token of a family."""
        return cls(family, _secret())

    @classmethod
    def parsed(cls, text: str) -> "RefreshToken | None":
        """Read a token that somebody sent; None when it cannot be one."""
        body = text.removeprefix(REFRESH_PREFIX)
        if len(text) - len(body) != len(REFRESH_PREFIX) or len(body) != 2 * FAMILY_CHARS:
            return None
        return cls(body[:FAMILY_CHARS], body[FAMILY_CHARS:])

    def __str__(self) -> str:
        return f"{REFRESH_PREFIX}{self.family}{self.rotating}"

    @property
    def family_hash(self) -> bytes:
        return token_hash(self.family)

    @property
    def rotating_hash(self) -> bytes:
        return token_hash(self.rotating)

    def is_current(self, rotating_hash: bytes | None) -> bool:
        """Compare with what the session keeps, in constant time."""
        return hmac.compare_digest(self.rotating_hash, rotating_hash or b"")


def thumbprint(public_jwk: Mapping[str, str]) -> str:
    """Name a public key as RFC 7638 does; it has the members that a JWK must have, no others."""
    canonical = json.dumps(dict(public_jwk), separators=(",", ":"), sort_keys=True)
    digest = hashlib.sha256(canonical.encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()

"""Random tokens. The database stores only their hashes."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import token_bytes

from app.keyring import keyring

LOGIN_PREFIX = "wxp_"
REFRESH_PREFIX = "wxr_"
SECRET_BYTES = 32
FAMILY_CHARS = 43  # 32 bytes in base64url without padding


def _secret() -> str:
    return _as_base64url(token_bytes(SECRET_BYTES))


def _as_base64url(secret: bytes) -> str:
    return urlsafe_b64encode(secret).rstrip(b"=").decode()


def new_console_token() -> str:
    """Return a new token for an operator's cookie."""
    return _secret()


def new_invitation() -> str:
    """Return a new secret for an invitation link."""
    return _secret()


def new_salt() -> bytes:
    """Return a new random salt."""
    return token_bytes(SECRET_BYTES)


def token_hash(token: str) -> bytes:
    """Return the stored hash of a token. 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode()).digest()


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token: a family, which stays for the life of the session, and a part that rotates.

    Both parts are secret and random. A token with a known family and a wrong rotating part is an
    earlier token, so reuse is detected without storing old hashes.
    """

    family: str = field(repr=False)
    rotating: str = field(repr=False)

    @classmethod
    def random(cls) -> "RefreshToken":
        """Return a new random token."""
        return cls(_secret(), _secret())

    @classmethod
    def parsed(cls, text: str) -> "RefreshToken | None":
        """Parse a token that a client sent. Return None if it is malformed."""
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
        """Return whether the rotating part is the session's current one, in constant time."""
        return hmac.compare_digest(self.rotating_hash, rotating_hash or b"")


def thumbprint(public_jwk: Mapping[str, str]) -> str:
    """Return the RFC 7638 thumbprint of a public JWK. Pass the required members only."""
    canonical = json.dumps(dict(public_jwk), separators=(",", ":"), sort_keys=True)
    digest = hashlib.sha256(canonical.encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class TokenPair:
    """A login token and a refresh token. Unbound sessions do not use the refresh token."""

    login: str = field(repr=False)
    refresh: RefreshToken = field(repr=False)

    @classmethod
    def random(cls, login: str | None = None) -> "TokenPair":
        """Return a new random pair, or one that keeps the given login token."""
        return cls(login or LOGIN_PREFIX + _secret(), RefreshToken.random())

    @classmethod
    def derived(cls, shown: str, salt: bytes, family: str | None = None) -> "TokenPair":
        """Derive a pair from a secret that the client sent. The same input gives the same pair.

        The derivation needs the server's key, the client's secret, which is not stored, and the
        salt.
        """

        def part(name: str) -> str:
            return _as_base64url(keyring().blind_index(shown, f"tokens:{name}:{salt.hex()}"))

        refresh = RefreshToken(family or part("family"), part("rotating"))
        return cls(LOGIN_PREFIX + part("login"), refresh)

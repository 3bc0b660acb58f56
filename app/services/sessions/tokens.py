"""Random tokens. The database stores only their hashes.

A token names its tenant, so that the look-up of its hash reads the rows of one tenant. The tenant
in a token proves nothing: the hash of a login token covers all of it, and the hashes of a refresh
token are looked up in that tenant only.
"""

import hashlib
import hmac
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import token_bytes
from uuid import UUID

from app.keyring import keyring

LOGIN_PREFIX = "wxp_"
REFRESH_PREFIX = "wxr_"
SECRET_BYTES = 32
TENANT_BYTES = 16
# The rotating part of a refresh token that names its tenant. With it, the token has 95 characters.
ROTATING_BYTES = 20
# Lengths in base64url without padding: of 32 bytes, and of tokens that name their tenant.
SECRET_CHARS = 43
NAMING_SECRET_CHARS = 64
NAMING_REFRESH_CHARS = 91
LOGIN_TOKEN = re.compile(
    rf"{LOGIN_PREFIX}[\w-]{{{SECRET_CHARS}}}(?:[\w-]{{{NAMING_SECRET_CHARS - SECRET_CHARS}}})?",
    re.ASCII,
)


def _secret(tenant_id: UUID | None = None, length: int = SECRET_BYTES) -> str:
    """Return a random secret that names the tenant, if any."""
    return _with_tenant(tenant_id, token_bytes(length))


def _with_tenant(tenant_id: UUID | None, secret: bytes) -> str:
    return _as_base64url(secret if tenant_id is None else tenant_id.bytes + secret)


def _as_base64url(secret: bytes) -> str:
    return urlsafe_b64encode(secret).rstrip(b"=").decode()


def _from_base64url(text: str) -> bytes:
    """Decode base64url without padding. Raise ValueError."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def is_login_token(text: str) -> bool:
    """Return whether a text has the form of a login token. No other text needs a look-up."""
    return LOGIN_TOKEN.fullmatch(text) is not None


def tenant_in_token(token: str) -> UUID | None:
    """Return the tenant that a login token names, or None for any other text."""
    return tenant_in_secret(token.removeprefix(LOGIN_PREFIX))


def tenant_in_secret(secret: str) -> UUID | None:
    """Return the tenant that a secret without a prefix names, or None for any other text."""
    if len(secret) != NAMING_SECRET_CHARS:
        return None
    try:
        return UUID(bytes=_from_base64url(secret)[:TENANT_BYTES])
    except ValueError:
        return None


def new_console_token() -> str:
    """Return a new token for an operator's cookie."""
    return _secret()


def new_invitation(tenant_id: UUID | None) -> str:
    """Return a new secret for an invitation link. It names the tenant of the operator, if any."""
    return _secret(tenant_id)


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
    earlier token, so reuse is detected without storing old hashes. `tenant_id` is None for
    operators, and for tokens of users that do not name their tenant.
    """

    family: str = field(repr=False)
    rotating: str = field(repr=False)
    tenant_id: UUID | None = None

    @classmethod
    def random(cls, tenant_id: UUID | None = None) -> "RefreshToken":
        """Return a new random token."""
        return cls(_secret(), "", tenant_id).rotated()

    def rotated(self) -> "RefreshToken":
        """Return a token of the same family with a new random part."""
        length = SECRET_BYTES if self.tenant_id is None else ROTATING_BYTES
        return RefreshToken(self.family, _secret(length=length), self.tenant_id)

    @classmethod
    def parsed(cls, text: str) -> "RefreshToken | None":
        """Parse a token that a client sent. Return None if it is malformed."""
        body = text.removeprefix(REFRESH_PREFIX)
        if len(text) - len(body) != len(REFRESH_PREFIX):
            return None
        if len(body) == 2 * SECRET_CHARS:
            return cls(body[:SECRET_CHARS], body[SECRET_CHARS:])
        return cls._naming_tenant(body) if len(body) == NAMING_REFRESH_CHARS else None

    @classmethod
    def _naming_tenant(cls, body: str) -> "RefreshToken | None":
        try:
            parts = _from_base64url(body)
        except ValueError:
            return None
        family_end = TENANT_BYTES + SECRET_BYTES
        tenant, family, rotating = (
            parts[:TENANT_BYTES],
            parts[TENANT_BYTES:family_end],
            parts[family_end:],
        )
        if len(rotating) != ROTATING_BYTES:
            return None
        token = cls(_as_base64url(family), _as_base64url(rotating), UUID(bytes=tenant))
        # The last character has unused bits, so that several texts decode to the same bytes.
        return token if str(token) == f"{REFRESH_PREFIX}{body}" else None

    def __str__(self) -> str:
        if self.tenant_id is None:
            return f"{REFRESH_PREFIX}{self.family}{self.rotating}"
        parts = _from_base64url(self.family) + _from_base64url(self.rotating)
        return REFRESH_PREFIX + _with_tenant(self.tenant_id, parts)

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
    def random(cls, tenant_id: UUID, login: str | None = None) -> "TokenPair":
        """Return a new random pair, or one that keeps the given login token."""
        return cls(login or LOGIN_PREFIX + _secret(tenant_id), RefreshToken.random(tenant_id))

    @classmethod
    def derived(
        cls,
        tenant_id: UUID,
        shown: str,
        salt: bytes,
        family: str | None = None,
        *,
        name_tenant: bool = True,
    ) -> "TokenPair":
        """Derive a pair from a secret that the client sent. The same input gives the same pair.

        The derivation needs the server's key, the client's secret, which is not stored, and the
        salt.
        """

        def part(name: str) -> bytes:
            return keyring().blind_index(shown, f"tokens:{name}:{salt.hex()}")

        named = tenant_id if name_tenant else None
        rotating = part("rotating")[: ROTATING_BYTES if name_tenant else SECRET_BYTES]
        family = family or _as_base64url(part("family"))
        refresh = RefreshToken(family, _as_base64url(rotating), named)
        return cls(LOGIN_PREFIX + _with_tenant(named, part("login")), refresh)

    @classmethod
    def derived_again(
        cls,
        tenant_id: UUID,
        shown: str,
        salt: bytes,
        login_hash: bytes,
        family: str | None = None,
    ) -> "TokenPair":
        """Derive the pair whose login token has this hash.

        A process of release 0.3.0 may have issued it without the tenant. If neither form has the
        hash, because the login token was replaced, return the form that names the tenant.
        """
        pairs = [
            cls.derived(tenant_id, shown, salt, family, name_tenant=name_tenant)
            for name_tenant in (True, False)
        ]
        return next((pair for pair in pairs if token_hash(pair.login) == login_hash), pairs[0])

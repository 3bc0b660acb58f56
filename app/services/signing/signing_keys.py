"""Keys that sign JWTs: the key of JWT_PRIVATE_KEY, then one key per rotation.

A new key is published before it signs, so that clients with a cached JWKS receive it in time. An
old key stays published until the last JWT that it signed has expired.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from flask import current_app
from jwt import PyJWK
from jwt.algorithms import get_default_algorithms
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import KeyRotationPending
from app.models import KeyProof, SigningKey
from app.services import audit
from app.services.database.transactions import retry_on_conflict, transaction
from app.services.sessions.tokens import thumbprint

JWT_LIFETIME = timedelta(minutes=10)
OPERATOR_JWT_LIFETIME = timedelta(minutes=15)
LONGEST_LIFETIME = max(JWT_LIFETIME, OPERATOR_JWT_LIFETIME)
PUBLISHED_BEFORE = timedelta(minutes=5)
CLOCKS_DIFFER = timedelta(minutes=1)
LONG_AGO = datetime.fromisoformat("1970-01-01T00:00:00Z")


@dataclass(frozen=True, slots=True)
class Key:
    """A key pair. `kid` is the RFC 7638 thumbprint, so a key has the same id in every process."""

    kid: str
    algorithm: str
    pem: str = field(repr=False)
    public: dict[str, Any]
    signs_from: datetime

    @classmethod
    def of(cls, pem: str, signs_from: datetime = LONG_AGO) -> "Key":
        """Read a private key in PEM, Ed25519 or EC P-256."""
        private = load_pem_private_key(pem.encode(), password=None)
        algorithm = "EdDSA" if isinstance(private, Ed25519PrivateKey) else "ES256"
        as_jwk = get_default_algorithms()[algorithm].to_jwk
        public = json.loads(as_jwk(private.public_key()))
        public = {name: public[name] for name in ("kty", "crv", "x", "y") if name in public}
        kid = thumbprint(public)
        return cls(kid, algorithm, pem, public, signs_from)

    def jwk(self) -> dict[str, str]:
        """Return the public key as a JWK (RFC 7517)."""
        return self.public | {"kid": self.kid, "use": "sig", "alg": self.algorithm}

    def verifier(self) -> Any:
        """Return the public key as an object that PyJWT verifies with."""
        return PyJWK(self.jwk()).key


def signing_key() -> Key:
    """Return the key that signs new JWTs."""
    moment = now()
    with transaction() as db:
        return [key for key in _keys(db) if key.signs_from <= moment][-1]


def published_keys() -> Sequence[Key]:
    """Return the keys that verify JWTs: current, next, and past keys with unexpired JWTs."""
    moment = now()
    with transaction() as db:
        keys = _keys(db)
    last_signed = [key.signs_from for key in keys[1:]] + [moment]
    return [
        key
        for key, until in zip(keys, last_signed, strict=True)
        if until + LONGEST_LIFETIME + CLOCKS_DIFFER > moment
    ]


def read_key_age() -> timedelta | None:
    """Return how long the current key has signed JWTs, or None if that is unknown.

    The key of JWT_PRIVATE_KEY is as old as the service: as the first proof of an encryption key.
    """
    moment, algorithm = now(), _own().algorithm
    newest = (
        select(func.max(SigningKey.signs_from))
        .where(SigningKey.algorithm == algorithm)
        .where(SigningKey.signs_from <= moment)
    )
    with transaction() as db:
        since = db.scalar(newest) or db.scalar(select(func.min(KeyProof.created_at)))
    return None if since is None else moment - since


@retry_on_conflict
def rotate_signing_key() -> Key:
    """Create the next signing key, with the algorithm of JWT_PRIVATE_KEY.

    The key is published immediately and signs after PUBLISHED_BEFORE. Raises KeyRotationPending if
    the previous new key does not sign yet. Of two simultaneous rotations, only one creates a key.
    """
    moment, algorithm = now(), _own().algorithm
    with transaction() as db:
        newest = db.scalar(select(SigningKey).order_by(SigningKey.generation.desc()).limit(1))
        if newest and newest.algorithm == algorithm and newest.signs_from > moment:
            raise KeyRotationPending
        key = Key.of(_new_private_key(algorithm), moment + PUBLISHED_BEFORE)
        row = SigningKey(
            generation=newest.generation + 1 if newest else 1,
            kid=key.kid,
            algorithm=key.algorithm,
            signs_from=key.signs_from,
        )
        row.private_key = key.pem
        db.add(row)
        audit.record(db, None, audit.OPERATOR, "signing_key.rotated", key.kid)
    return key


def _own() -> Key:
    return Key.of(current_app.config["JWT_PRIVATE_KEY"])


def _keys(db: Session) -> Sequence[Key]:
    """Return the key of JWT_PRIVATE_KEY and the keys of later rotations, oldest first.

    Keys of another algorithm are left out: a change of the algorithm of JWT_PRIVATE_KEY starts a
    new list.
    """
    own = _own()
    wanted = select(SigningKey).where(SigningKey.algorithm == own.algorithm)
    rows = db.scalars(wanted.order_by(SigningKey.generation)).all()
    return [own, *(Key.of(row.private_key or "", row.signs_from) for row in rows)]


def _new_private_key(algorithm: str) -> str:
    private = (
        Ed25519PrivateKey.generate() if algorithm == "EdDSA" else generate_private_key(SECP256R1())
    )
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

"""Encryption at rest, and blind indexes of encrypted values.

A sealed text reads `<key id>:<base64url of nonce, ciphertext and tag>`. It is AES-256-GCM with the
place of the value (table, column and row) as associated data: a ciphertext that was moved to
another row, column or table does not open.
"""

import hashlib
import hmac
import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import Flask, current_app

from config.readers import KEY_ID

NONCE_BYTES = 12
# A body is long enough for a nonce and a tag.
SHORTEST_BODY = 38
SEALED = re.compile(
    rf"(?P<key_id>{KEY_ID.pattern}):(?P<body>[A-Za-z0-9_-]{{{SHORTEST_BODY},}}={{0,2}})"
)


class SealBroken(Exception):
    """The ciphertext was changed, moved, or encrypted with a key that is not in the ring."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Keys by id. The first one encrypts, all of them decrypt."""

    keys: Sequence[tuple[str, bytes]] = field(repr=False)
    pepper: bytes = field(repr=False)

    @property
    def first(self) -> str:
        """Return the id of the key that encrypts."""
        return self.keys[0][0]

    def with_first(self, key_id: str) -> "KeyRing":
        """Return a ring in which another of the keys encrypts."""
        return KeyRing([(key_id, dict(self.keys)[key_id]), *self.keys], self.pepper)

    def __contains__(self, key_id: str) -> bool:
        return key_id in dict(self.keys)

    def seal(self, text: str, place: str) -> str:
        """Encrypt `text` for `place` with the first key."""
        key_id, key = self.keys[0]
        nonce = os.urandom(NONCE_BYTES)
        ciphertext = AESGCM(key).encrypt(nonce, text.encode(), place.encode())
        return f"{key_id}:{urlsafe_b64encode(nonce + ciphertext).decode()}"

    def open(self, sealed: str, place: str) -> str:
        """Decrypt the result of `seal` for the same place. Raise SealBroken."""
        column = place.partition(":")[0]
        found = SEALED.fullmatch(sealed)
        if found is None:
            # Not quoted: text that is not ciphertext may be the secret itself.
            raise SealBroken(f"no ciphertext in {column}")
        key = dict(self.keys).get(found["key_id"])
        if key is None:
            raise SealBroken(f"no key {found['key_id']!r} in WXPASS_KEYS for {column}")
        try:
            return _decrypt(key, _decode(found["body"]), place)
        except (ValueError, InvalidTag):
            raise SealBroken(f"ciphertext does not belong in {column}") from None

    def blind_index(self, text: str, scope: str) -> bytes:
        """Hash `text` with the pepper so that equal texts of one scope are found, not read.

        Phone numbers are few enough to try them all; without the pepper, which is not in the
        database, that is of no use.
        """
        return hmac.digest(self.pepper, f"{scope}\0{text}".encode(), hashlib.sha256)


def _decode(body: str) -> bytes:
    """Decode base64, in the one spelling that `seal` uses."""
    raw = urlsafe_b64decode(body)
    if urlsafe_b64encode(raw).decode() != body:
        raise ValueError
    return raw


def _decrypt(key: bytes, raw: bytes, place: str) -> str:
    return AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], place.encode()).decode()


def init_app(app: Flask, ring: KeyRing) -> None:
    """Attach the ring to the app."""
    app.extensions["keyring"] = ring


def keyring() -> KeyRing:
    """Return the ring of the running app."""
    return cast(KeyRing, current_app.extensions["keyring"])

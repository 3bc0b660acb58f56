"""Encryption at rest, and blind indexes of encrypted values.

A sealed text has the form `<key id>:<base64url of nonce, ciphertext and tag>`. It is encrypted
with AES-256-GCM, and its location (table, column and row) is the associated data: a ciphertext
that was moved to another row, column or table cannot be decrypted.
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
# The length of the base64 text of a nonce and a tag.
SHORTEST_BODY = 38
SEALED = re.compile(
    rf"(?P<key_id>{KEY_ID.pattern}):(?P<body>[A-Za-z0-9_-]{{{SHORTEST_BODY},}}={{0,2}})"
)


class SealBroken(Exception):
    """The ciphertext was changed, moved, or encrypted with a key that is not in the key ring."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Encryption keys by key id. The first key encrypts, all keys decrypt."""

    keys: Sequence[tuple[str, bytes]] = field(repr=False)
    pepper: bytes = field(repr=False)

    @property
    def first(self) -> str:
        """Return the id of the first key, which encrypts."""
        return self.keys[0][0]

    def with_first(self, key_id: str) -> "KeyRing":
        """Return a copy of the key ring in which the key with this id comes first and encrypts."""
        return KeyRing([(key_id, dict(self.keys)[key_id]), *self.keys], self.pepper)

    def __contains__(self, key_id: str) -> bool:
        return key_id in dict(self.keys)

    def seal(self, text: str, location: str) -> str:
        """Encrypt `text` with the first key. `location` is `<table>.<column>:<row>`."""
        key_id, key = self.keys[0]
        nonce = os.urandom(NONCE_BYTES)
        ciphertext = AESGCM(key).encrypt(nonce, text.encode(), location.encode())
        return f"{key_id}:{urlsafe_b64encode(nonce + ciphertext).decode()}"

    def open(self, sealed: str, location: str) -> str:
        """Decrypt a text that `seal` encrypted for the same location. Raise SealBroken."""
        column = location.partition(":")[0]
        found = SEALED.fullmatch(sealed)
        if found is None:
            # The text is left out of the message: it may be an unencrypted secret.
            raise SealBroken(f"no ciphertext in {column}")
        key = dict(self.keys).get(found["key_id"])
        if key is None:
            raise SealBroken(f"no key {found['key_id']!r} in WXPASS_KEYS for {column}")
        try:
            return _decrypt(key, _decode(found["body"]), location)
        except (ValueError, InvalidTag):
            raise SealBroken(f"ciphertext does not belong in {column}") from None

    def blind_index(self, text: str, scope: str) -> bytes:
        """Return the HMAC of `text` and `scope` with the pepper, for lookups of equal texts.

        The pepper is not in the database. Without it, an attacker who reads the database cannot
        find a phone number by hashing all possible numbers.
        """
        return hmac.digest(self.pepper, f"{scope}\0{text}".encode(), hashlib.sha256)


def _decode(body: str) -> bytes:
    """Decode base64. Raise ValueError for a spelling other than the one that `seal` writes."""
    raw = urlsafe_b64decode(body)
    if urlsafe_b64encode(raw).decode() != body:
        raise ValueError
    return raw


def _decrypt(key: bytes, raw: bytes, location: str) -> str:
    return AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], location.encode()).decode()


def init_app(app: Flask, ring: KeyRing) -> None:
    """Attach the key ring to the app."""
    app.extensions["keyring"] = ring


def keyring() -> KeyRing:
    """Return the key ring of the current app."""
    return cast(KeyRing, current_app.extensions["keyring"])

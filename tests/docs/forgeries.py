"""JWTs that a back end must refuse, and some that it must accept."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from tests.docs.site import LIFE

Claims = dict[str, Any]


def encoded(data: bytes) -> str:
    """Return data in Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def part(value: object) -> str:
    """Return the JSON of a header or of claims as a part of a JWT."""
    return encoded(json.dumps(value).encode())


class Forger:
    """Makes JWTs from a genuine one and the private key of wxpass."""

    def __init__(self, genuine: str, pem: str) -> None:
        self.genuine = genuine
        self.key: Any = load_pem_private_key(pem.encode(), password=None)
        self.header: Claims = jwt.get_unverified_header(genuine)
        self.claims: Claims = jwt.decode(genuine, options={"verify_signature": False})

    def signed(self, header: Claims | None = None, **claims: Any) -> str:
        """Return a JWT of wxpass with other claims. None removes a claim."""
        return self.assembled(self.header | (header or {}), self.claims | claims)

    def assembled(self, header: Claims, claims: Claims, key: Any = None) -> str:
        """Return a JWT with this header and these claims, signed with an Ed25519 key."""
        claims = {name: value for name, value in claims.items() if value is not None}
        text = f"{part(header)}.{part(claims)}"
        return f"{text}.{encoded((key or self.key).sign(text.encode()))}"

    def unsigned(self, algorithm: str) -> str:
        """Return a JWT without a signature."""
        return f"{part(self.header | {'alg': algorithm})}.{part(self.claims)}."

    def with_hmac(self, secret: bytes) -> str:
        """Return a JWT with the algorithm HS256."""
        text = f"{part(self.header | {'alg': 'HS256'})}.{part(self.claims)}"
        return f"{text}.{encoded(hmac.digest(secret, text.encode(), hashlib.sha256))}"

    def public(self, encoding: Encoding, form: PublicFormat) -> bytes:
        """Return the public key of wxpass."""
        return bytes(self.key.public_key().public_bytes(encoding, form))

    def of_another_key(self, **header: Any) -> str:
        """Return a JWT that the attacker has signed with a key of their own."""
        return self.assembled(self.header | header, self.claims, Ed25519PrivateKey.generate())

    def with_other_claims(self) -> str:
        """Return the genuine JWT for another user, with the signature of the genuine one."""
        header, _, signature = self.genuine.split(".")
        return f"{header}.{part(self.claims | {'sub': 'another'})}.{signature}"

    def with_own_key_in_header(self) -> str:
        """Return a JWT that brings the attacker's public key."""
        own = Ed25519PrivateKey.generate()
        x = encoded(own.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": x}
        return self.assembled(self.header | {"jwk": jwk}, self.claims, own)


def seconds(ahead: float) -> int:
    """Return the time in some seconds, as a claim."""
    return int(time.time() + ahead)


REFUSED: dict[str, Callable[[Forger], str]] = {
    "expired": lambda forger: forger.signed(exp=seconds(-40)),
    "without expiry": lambda forger: forger.signed(exp=None),
    "not yet valid": lambda forger: forger.signed(nbf=seconds(60)),
    "of another issuer": lambda forger: forger.signed(iss="https://evil.example"),
    "without issuer": lambda forger: forger.signed(iss=None),
    "for an app of another tenant": lambda forger: forger.signed(aud=LIFE.appid),
    "for the start of an appid": lambda forger: forger.signed(aud=forger.claims["aud"][:-1]),
    "for an operator": lambda forger: forger.signed(aud="wxpass-admin"),
    "without audience": lambda forger: forger.signed(aud=None),
    "without subject": lambda forger: forger.signed(sub=None),
    "alg none": lambda forger: forger.unsigned("none"),
    "alg None": lambda forger: forger.unsigned("None"),
    "alg empty": lambda forger: forger.unsigned(""),
    "EdDSA without a signature": lambda forger: forger.unsigned("EdDSA"),
    "HS256 with the raw public key": lambda forger: forger.with_hmac(
        forger.public(Encoding.Raw, PublicFormat.Raw)
    ),
    "HS256 with the PEM public key": lambda forger: forger.with_hmac(
        forger.public(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    ),
    "HS256 with an empty secret": lambda forger: forger.with_hmac(b""),
    "ES256 with an Ed25519 signature": lambda forger: forger.signed({"alg": "ES256"}),
    "of another key": lambda forger: forger.of_another_key(),
    "of another key with its id": lambda forger: forger.of_another_key(kid="attacker"),
    "without a key id": lambda forger: forger.assembled({"alg": "EdDSA"}, forger.claims),
    "with a key in the header": lambda forger: forger.with_own_key_in_header(),
    "with other claims": lambda forger: forger.with_other_claims(),
    "with an unknown critical header": lambda forger: forger.signed({"crit": ["x"], "x": 1}),
    "cut off": lambda forger: forger.genuine[:-20],
    "with a fourth part": lambda forger: f"{forger.genuine}.e30",
    "two parts": lambda forger: ".".join(forger.genuine.split(".")[:2]),
    "three empty parts": lambda forger: "..",
    "no Base64": lambda forger: "a.b.c",
    "no JSON": lambda forger: f"{encoded(b'[')}.{encoded(b'[')}.{encoded(b'[')}",
    "lists as parts": lambda forger: f"{part([])}.{part([])}.{encoded(bytes(64))}",
    "too long": lambda forger: forger.signed(padding="x" * 5000),
}
ACCEPTED: dict[str, Callable[[Forger], str]] = {
    "genuine": lambda forger: forger.genuine,
    "expired within the clock skew": lambda forger: forger.signed(exp=seconds(-15)),
    "valid within the clock skew": lambda forger: forger.signed(nbf=seconds(15)),
    "for the other app": lambda forger: forger.signed(aud="wxaaaa000000000002"),
}

"""The rules of the Spring Boot example's JwtVerifier, and a port of each rule to Python."""

import base64
import binascii
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FOLDER = Path(__file__).parents[2] / "examples/spring-boot/src/main"
JAVA = FOLDER / "java/com/example/orders"
VERIFIER = (JAVA / "JwtVerifier.java").read_text()
PROPERTIES = dict(
    line.split("=", 1)
    for line in (FOLDER / "resources/application.properties").read_text().splitlines()
    if not line.startswith("#")
)
ALGORITHM = re.findall(r'String ALGORITHM = "(\w+)";', VERIFIER)[0]
SKEW = int(re.findall(r"long CLOCK_SKEW_SECONDS = (\d+);", VERIFIER)[0])
# `if (condition) { throw new Refused("reason"); }`
RULE = re.compile(r'if \(((?:[^{}])+?)\) \{\s+throw new Refused\("([^"]+)"\);')


class Refused(Exception):
    """The JWT is invalid. The argument is the reason."""


@dataclass
class Check:
    """A JWT that is being checked, and the public keys of wxpass by id."""

    parts: list[str]
    keys: dict[str, Ed25519PublicKey]
    header: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)


def is_signed(check: Check) -> bool:
    """Return whether the signature is that of the key that the header names."""
    key, text = check.keys[str(check.header["kid"])], ".".join(check.parts[:2])
    try:
        key.verify(decode(check.parts[2]), text.encode())
    except InvalidSignature:
        return False
    return True


def is_expired(check: Check) -> bool:
    """Return whether there is no time of expiry, or it is past."""
    expiry = check.claims.get("exp")
    return not isinstance(expiry, int | float) or time.time() >= int(expiry) + SKEW


def starts_later(check: Check) -> bool:
    """Return whether the JWT is not valid yet."""
    start = check.claims.get("nbf")
    return isinstance(start, int | float) and time.time() < int(start) - SKEW


# In the order of the Java source: (reason, condition in Java, the same condition in Python).
RULES: list[tuple[str, str, Callable[[Check], bool]]] = [
    ("form", "parts.length != 3", lambda check: len(check.parts) != 3),
    (
        "algorithm",
        '!ALGORITHM.equals(header.get("alg"))',
        lambda check: check.header.get("alg") != ALGORITHM,
    ),
    ("critical header", 'header.containsKey("crit")', lambda check: "crit" in check.header),
    ("key", "key == null", lambda check: str(check.header.get("kid")) not in check.keys),
    (
        "signature",
        '!isSigned(parts[0] + "." + parts[1], decode(parts[2]), key)',
        lambda check: not is_signed(check),
    ),
    (
        "issuer",
        '!issuer.equals(claims.get("iss"))',
        lambda check: check.claims.get("iss") != PROPERTIES["wxpass.issuer"],
    ),
    (
        "audience",
        '!(claims.get("aud") instanceof String appid) || !appids.contains(appid)',
        lambda check: check.claims.get("aud") not in PROPERTIES["wxpass.appids"].split(","),
    ),
    (
        "expiry",
        '!(claims.get("exp") instanceof Number expiry)'
        " || now >= expiry.longValue() + CLOCK_SKEW_SECONDS",
        is_expired,
    ),
    (
        "start",
        'claims.get("nbf") instanceof Number start && now < start.longValue() - CLOCK_SKEW_SECONDS',
        starts_later,
    ),
    (
        "subject",
        '!(claims.get("sub") instanceof String userId) || userId.isEmpty()',
        lambda check: not check.claims.get("sub"),
    ),
]


def rules_of_the_java_source() -> list[tuple[str, str]]:
    """Return the reason and the condition of each rule, in the order of the source."""
    return [(reason, " ".join(condition.split())) for condition, reason in RULE.findall(VERIFIER)]


def user_of(token: str, keys: dict[str, Ed25519PublicKey]) -> str:
    """Return the user id in a JWT as the Java method `userOf` does. Raise Refused."""
    check = Check(token.split("."), keys)
    for reason, _, is_refused in RULES:
        if reason == "algorithm":
            check.header = read(check.parts[0])
        if reason == "issuer":
            check.claims = read(check.parts[1])
        if is_refused(check):
            raise Refused(reason)
    return str(check.claims["sub"])


def read(part: str) -> dict[str, Any]:
    """Return the JSON object in a part of a JWT. Raise Refused."""
    try:
        value = json.loads(decode(part))
    except ValueError:
        raise Refused("JSON") from None
    if not isinstance(value, dict):
        raise Refused("JSON")
    return value


def decode(part: str) -> bytes:
    """Return the bytes of Base64url without padding. Raise Refused."""
    try:
        padding = "=" * (-len(part) % 4)
        return base64.b64decode(part + padding, altchars=b"-_", validate=True)
    except binascii.Error:
        raise Refused("Base64") from None

"""The rules of the Spring Boot example.

These tests run no Java: Spring Boot is not installed here. They read the rules of the Java source
(conditions, reasons and their order) and check a port of these rules to Python with genuine and
forged JWTs. They cannot find a mistake in how Java, Spring or the JSON parser behave.
"""

import re

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.docs.forgeries import ACCEPTED, REFUSED, Forger
from tests.docs.site import Site
from tests.docs.spring_rules import (
    ALGORITHM,
    JAVA,
    PROPERTIES,
    RULES,
    SKEW,
    VERIFIER,
    Refused,
    rules_of_the_java_source,
    user_of,
)

Keys = dict[str, Ed25519PublicKey]
# The reason of each refusal. The others have the reason "key", "form" or "Base64".
REASONS = {
    "expired": "expiry",
    "without expiry": "expiry",
    "not yet valid": "start",
    "of another issuer": "issuer",
    "without issuer": "issuer",
    "for an app of another tenant": "audience",
    "for the start of an appid": "audience",
    "without audience": "audience",
    "without subject": "subject",
    "alg none": "algorithm",
    "HS256 with the PEM public key": "algorithm",
    "ES256 with an Ed25519 signature": "algorithm",
    "EdDSA without a signature": "signature",
    "of another key": "signature",
    "with other claims": "signature",
    "with a key in the header": "signature",
    "with an unknown critical header": "critical header",
    "of another key with its id": "key",
    "with a fourth part": "form",
}


@pytest.fixture(scope="module")
def keys(site: Site) -> Keys:
    """The public keys of wxpass by id."""
    answer = requests.get(f"{site.service}/.well-known/jwks.json", timeout=10)
    return {key.key_id or "": key.key for key in jwt.PyJWKSet.from_dict(answer.json()).keys}


def test_the_port_has_the_rules_of_the_java_source_in_their_order() -> None:
    assert rules_of_the_java_source() == [(reason, java) for reason, java, _ in RULES]
    # Each refusal is one of the rules, or a failure to read a part.
    reasons = re.findall(r'new Refused\("([^"]+)"\)', VERIFIER)
    assert reasons == [*(reason for reason, _, _ in RULES), "JSON", "Base64"]


def test_the_java_source_verifies_with_the_key_before_it_reads_claims() -> None:
    assert (ALGORITHM, SKEW) == ("EdDSA", 30)
    assert VERIFIER.index("isSigned(parts[0]") < VERIFIER.index("read(parts[1])")
    assert 'Signature.getInstance("Ed25519")' in VERIFIER
    assert "return verification.verify(signature);" in VERIFIER


@pytest.mark.parametrize("kind", ACCEPTED)
def test_the_port_accepts_a_valid_jwt(kind: str, forger: Forger, keys: Keys) -> None:
    assert user_of(ACCEPTED[kind](forger), keys) == forger.claims["sub"]


@pytest.mark.parametrize("kind", sorted(REFUSED.keys() - {"too long"}))
def test_the_port_refuses_an_invalid_jwt(kind: str, forger: Forger, keys: Keys) -> None:
    """The pattern of the header Authorization refuses a JWT that is too long."""
    with pytest.raises(Refused) as refused:
        user_of(REFUSED[kind](forger), keys)
    assert str(refused.value) == REASONS.get(kind, str(refused.value))


def test_the_filters_refuse_before_they_pass_a_request_on() -> None:
    """Each filter passes a request on in one place, right after it has set the user id."""
    for name in ("LoginTokenFilter", "JwtFilter"):
        source = (JAVA / f"{name}.java").read_text()
        passed = re.findall(
            r'request\.setAttribute\("userId", [\w.()]+\);\s+chain\.doFilter', source
        )
        assert source.count("chain.doFilter(request, response);") == len(passed) == 1
        assert 'Problems.refuse(response, 503, "wxpass_unavailable");' in source
    source = (JAVA / "LoginTokenFilter.java").read_text()
    assert "if (answer.status() == 204 && StringUtils.hasLength(answer.userId())) {" in source


def test_every_address_needs_the_user_id_of_a_filter() -> None:
    source = (JAVA / "OrdersApplication.java").read_text()
    addresses = re.findall(r'@GetMapping\("(/\w+)"\)\s+[^(]+\((.*)\) \{', source)
    assert addresses
    for address, parameters in addresses:
        assert parameters == '@RequestAttribute("userId") String userId'
        assert f'addUrlPatterns("{address}", "{address}/*")' in source
    settings = set(re.findall(r"\$\{([a-z.]+)\}", source))
    assert settings == {name for name in PROPERTIES if name.startswith("wxpass.")}

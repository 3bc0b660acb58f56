"""JWTs for offline verification: claims, audiences and key rotation."""

import base64
import dataclasses
import hmac
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from flask import Flask, jsonify
from flask.typing import ResponseReturnValue
from flask_jwt_extended import jwt_required

from app import create_app
from app.extensions import db
from app.services.signing.signing_keys import rotate_signing_key
from app.settings import JWT_AUDIENCE
from config import Config
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, App, Client, Person, Reader, failure
from tests.services.login.test_concurrency import run_concurrently

Token = dict[str, Any]


def key_set(client: Client) -> jwt.PyJWKSet:
    """Fetch and parse the JWKS like a back end."""
    return jwt.PyJWKSet.from_dict(client.send("GET", "/.well-known/jwks.json").json)


def verify(client: Client, token: str, app: App = ACME_SHOP) -> Token:
    """Verify a JWT with the published keys and return its claims, like a back end."""
    key = key_set(client)[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(
        token,
        key,
        algorithms=[key.algorithm_name],
        audience=app.appid,
        issuer="wxpass",
        options={"require": ["exp", "iat", "aud", "iss", "sub"]},
    )


def request_jwt(client: Client, token: str, app: App = ACME_SHOP) -> str:
    answer = client.post("jwt", token, app)
    assert answer.status_code == 200, answer.text
    assert answer.json["expires_in"] == 600
    return str(answer.json["jwt"])


def age_signing_keys(rows: Reader, by: str) -> None:
    """Move the start of the signing keys into the past."""
    rows(f"UPDATE signing_keys SET signs_from = signs_from - interval '{by}'")


def kids(client: Client) -> list[str]:
    return [key["kid"] for key in client.send("GET", "/.well-known/jwks.json").json["keys"]]


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def test_jwt_claims_contain_user_tenant_session_and_app(
    client: Client, alice: Person, rows: Reader
) -> None:
    claims = verify(client, request_jwt(client, client.bind(alice)["token"]))
    ((user, tenant, session),) = rows(
        "SELECT user_id::text, tenant_id::text, id::text FROM login_sessions"
    )
    identifiers = (claims["sub"], claims["tenant_id"], claims["session_id"])
    assert identifiers == (user, tenant, session)
    assert (claims["aud"], claims["iss"]) == (ACME_SHOP.appid, "wxpass")
    assert claims["exp"] - claims["iat"] == 600


def test_unbound_session_is_refused_a_jwt(client: Client, bob: Person) -> None:
    assert failure(client.post("jwt", client.log_in(bob)["token"])) == (403, "login_unbound")
    assert failure(client.post("jwt")) == (401, "token_missing")


def test_published_jwks_contains_no_private_key_parts(client: Client) -> None:
    for key in client.send("GET", "/.well-known/jwks.json").json["keys"]:
        assert set(key) == {"kty", "crv", "x", "kid", "use", "alg"}


def test_session_token_refresh_token_and_jwt_are_not_interchangeable(
    client: Client, alice: Person
) -> None:
    login = client.bind(alice)
    signed = request_jwt(client, login["token"])
    for wrong in (signed, login["refresh_token"]):
        assert failure(client.me(wrong)) == (401, "token_invalid")
        assert failure(client.send("GET", "/v1/verify", wrong)) == (401, "token_invalid")
        assert failure(client.post("jwt", wrong)) == (401, "token_invalid")
        assert failure(client.post("logout", wrong)) == (401, "token_invalid")
    for wrong in (login["token"], signed[:128]):
        refused = client.post("refresh", refresh_token=wrong)
        assert failure(refused) == (401, "refresh_token_invalid")
    assert failure(client.post("refresh", refresh_token=signed)) == (422, "request_invalid")
    for wrong in (login["token"], login["refresh_token"]):
        with pytest.raises(jwt.InvalidTokenError):
            verify(client, wrong)
    with pytest.raises(jwt.InvalidAudienceError):
        verify(client, signed, ACME_CLUB)
    assert client.me(login["token"]).status_code == 200


# A view that requires a JWT, as the admin API does.


@pytest.fixture(scope="module")
def guarded(config: Config) -> Iterator[Flask]:
    """Return an app with a view that flask-jwt-extended protects."""
    app = create_app(config)

    @app.get("/guarded")
    @jwt_required()  # type: ignore[untyped-decorator]
    def show() -> ResponseReturnValue:
        return jsonify("in")

    yield app
    with app.app_context():
        db.engine.dispose()


def encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def forged(algorithm: str, claims: Token, kid: str, secret: bytes) -> str:
    """Return a JWT that is signed with HMAC, or unsigned with the algorithm "none"."""
    text = f"{encoded({'alg': algorithm, 'typ': 'JWT', 'kid': kid})}.{encoded(claims)}"
    mac = b"" if algorithm == "none" else hmac.digest(secret, text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def valid_claims() -> Token:
    moment = int(datetime.now(UTC).timestamp())
    return {
        **{"iss": "wxpass", "aud": JWT_AUDIENCE, "sub": "subject", "type": "access"},
        **{"iat": moment, "nbf": moment, "exp": moment + 600, "jti": "1"},
    }


def test_forged_expired_or_foreign_jwt_is_refused_with_a_stable_error_code(
    guarded: Flask, config: Config, client: Client, alice: Person
) -> None:
    network, claims, (kid,) = Client(guarded), valid_claims(), kids(client)
    key = config.jwt_private_key
    private = key_set(client)[kid].key
    raw = private.public_bytes(Encoding.Raw, PublicFormat.Raw)
    pem = private.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    stranger = Ed25519PrivateKey.generate()

    def signed(key: Any = key, kid: str | None = kid, **changes: Any) -> str:
        headers = {"kid": kid} if kid else {}
        return jwt.encode(claims | changes, key, "EdDSA", headers=headers)

    def refusal(token: str) -> tuple[int, str]:
        return failure(network.send("GET", "/guarded", token))

    assert network.send("GET", "/guarded", signed()).json == "in"
    past = int((datetime.now(UTC) - timedelta(hours=1)).timestamp())
    assert refusal(signed(exp=past)) == (401, "jwt_expired")
    invalid = {
        "none": forged("none", claims, kid, b""),
        "HS256 with the raw public key": forged("HS256", claims, kid, raw),
        "HS256 with the public PEM": forged("HS256", claims, kid, pem),
        "another's signature": signed(stranger),
        "another kid": signed(stranger, "another"),
        "no kid": signed(kid=None),
        "wrong audience": signed(aud=ACME_SHOP.appid),
        "no audience": signed(aud=None),
        "wrong issuer": signed(iss="another"),
        "a refresh JWT": signed(type="refresh"),
        "not yet": signed(nbf=claims["exp"]),
        "an app's JWT": request_jwt(client, client.bind(alice)["token"]),
        "a login token": "wxp_" + "A" * 43,
        "a refresh token": "wxr_" + "A" * 86,
        "changed": signed()[:-8] + "AAAAAAAA",
        "garbage": "a.b.c",
        "not Latin": "é.é.é",
    }
    assert {what: refusal(token) for what, token in invalid.items()} == dict.fromkeys(
        invalid, (401, "jwt_invalid")
    )
    assert failure(network.send("GET", "/guarded")) == (401, "token_missing")


def test_signing_key_is_published_before_it_signs_and_until_its_last_jwt_expires(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Back ends cache the JWKS. A rotation must not make them refuse valid JWTs."""
    token = client.bind(alice)["token"]
    run = app.test_cli_runner().invoke
    (first,) = kids(client)
    assert run(args=["jwt-keys", "rotate"]).exit_code == 0
    again = run(args=["jwt-keys", "rotate"])
    assert (again.exit_code, "key_rotation_pending" in again.output) == (1, True)
    old, second = kids(client)
    assert old == first == kid_of(before := request_jwt(client, token))
    age_signing_keys(rows, "6 minutes")
    assert kid_of(after := request_jwt(client, token)) == second
    assert kids(client) == [first, second]
    assert verify(client, before)["sub"] == verify(client, after)["sub"]
    age_signing_keys(rows, "16 minutes")
    assert kids(client) == [second]
    assert verify(client, after)
    assert run(args=["jwt-keys", "rotate"]).exit_code == 0
    listed = run(args=["jwt-keys", "list"]).output.splitlines()
    assert [line.split("\t")[0] for line in listed] == kids(client)
    assert len(listed) == 2
    assert rows.count("platform_audit_events", "action = 'signing_key.rotated'") == 2


def test_stored_signing_key_is_encrypted(app: Flask, rows: Reader) -> None:
    with app.app_context():
        key = rotate_signing_key()
    ((kept,),) = rows("SELECT k::text FROM signing_keys k")
    body = "".join(key.pem.splitlines()[1:-1])
    assert "PRIVATE" not in kept
    assert body not in kept
    assert body not in repr(key)


@pytest.mark.real_commits
def test_concurrent_rotations_create_only_one_signing_key(app: Flask, rows: Reader) -> None:
    rotations: list[Callable[[], Any]] = [lambda: rotate(app)] * 4
    assert sorted(run_concurrently(rotations)) == ["key_rotation_pending"] * 3 + ["rotated"]
    assert rows.count("signing_keys") == 1


def rotate(app: Flask) -> str:
    """Rotate the signing key and return the outcome."""
    with app.app_context():
        try:
            rotate_signing_key()
        except Exception as error:
            return str(getattr(error, "code", error))
        return "rotated"


def test_p256_key_signs_with_es256(
    config: Config, app: Flask, client: Client, alice: Person
) -> None:
    """Some back ends do not support Ed25519."""
    token = client.bind(alice)["token"]
    private = generate_private_key(SECP256R1())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with app.app_context():
        rotate_signing_key()
        connection = db.engines[None]
    other = create_app(dataclasses.replace(config, jwt_private_key=pem))
    with other.app_context():
        engine, db.engines[None] = db.engines[None], connection
    network = Client(other)
    assert len(kids(network)) == 1
    assert verify(network, signed := request_jwt(network, token))
    assert jwt.get_unverified_header(signed)["alg"] == "ES256"
    with other.app_context():
        assert rotate_signing_key().algorithm == "ES256"
        db.engines[None] = engine
        engine.dispose()

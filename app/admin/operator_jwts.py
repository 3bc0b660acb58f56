"""Configuration of flask-jwt-extended for the JWTs of operators."""

from typing import Any

from flask import Flask, Response

from app.errors import Failure, JwtExpired, JwtInvalid, TokenMissing
from app.extensions import jwt
from app.problems import failure_of, problem_response
from app.services.signing.jwts import Signed
from app.services.signing.signing_keys import published_keys


def init_app(app: Flask) -> None:
    """Sign JWTs with the key of the token, verify with published keys, and map errors."""
    jwt.init_app(app)
    jwt.user_identity_loader(lambda signed: signed.subject)
    jwt.encode_key_loader(lambda signed: signed.key.pem)
    jwt.additional_headers_loader(_name_key)
    jwt.decode_key_loader(_find_key)
    jwt.unauthorized_loader(lambda why: _error_response(TokenMissing(why)))
    jwt.invalid_token_loader(lambda why: _error_response(JwtInvalid(why)))
    jwt.expired_token_loader(lambda *_: _error_response(JwtExpired()))
    for loader in (
        jwt.revoked_token_loader,
        jwt.needs_fresh_token_loader,
        jwt.token_verification_failed_loader,
        jwt.user_lookup_error_loader,
    ):
        loader(lambda *_: _error_response(JwtInvalid()))


def _name_key(signed: Signed) -> dict[str, str]:
    return {"kid": signed.key.kid}


def _find_key(header: dict[str, Any], _: dict[str, Any]) -> Any:
    """Return the published public key with the `kid` of a JWT header, or raise JwtInvalid.

    A key that is embedded in the header is ignored.
    """
    for key in published_keys():
        if key.kid == header.get("kid"):
            return key.verifier()
    raise JwtInvalid("no such key")


def _error_response(failure: Failure) -> Response:
    return problem_response(failure_of(failure))

"""JWTs that business back ends verify with the published keys."""

from dataclasses import dataclass, field

from flask_jwt_extended import create_access_token

from app.services.principals import Principal
from app.services.signing.signing_keys import JWT_LIFETIME, Key, signing_key


@dataclass(frozen=True, slots=True)
class Jwt:
    """A signed JWT and its lifetime in seconds."""

    jwt: str = field(repr=False)
    expires_in: int = int(JWT_LIFETIME.total_seconds())


@dataclass(frozen=True, slots=True)
class Signed:
    """The subject of a JWT and its signing key, which the header of the JWT names."""

    subject: str
    key: Key


def issue_jwt(principal: Principal) -> Jwt:
    """Return a JWT for the user of a bound session. Its audience is the app's back ends.

    A JWT cannot be revoked before it expires.
    """
    key = signing_key()
    claims = {
        "aud": principal.appid,
        "tenant_id": str(principal.tenant_id),
        "session_id": str(principal.session_id),
    }
    signed = Signed(str(principal.user_id), key)
    return Jwt(create_access_token(signed, additional_claims=claims))

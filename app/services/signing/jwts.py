"""JWTs that business back ends verify with the published keys."""

from dataclasses import dataclass, field

from flask_jwt_extended import create_access_token

from app.services.principals import Principal
from app.services.signing.signing_keys import JWT_LIFETIME, Key, signing_key


@dataclass(frozen=True, slots=True)
class Jwt:
    """A signed token, and how many seconds it lives."""

    jwt: str = field(repr=False)
    expires_in: int = int(JWT_LIFETIME.total_seconds())


@dataclass(frozen=True, slots=True)
class Signed:
    """A token to sign and its key, chosen together because the header names the key."""

    subject: str
    key: Key


def issue_jwt(principal: Principal) -> Jwt:
    """Make a JWT for a bound login, good at this app's back ends only. It cannot be taken back."""
    key = signing_key()
    claims = {
        "aud": principal.appid,
        "tenant_id": str(principal.tenant_id),
        "session_id": str(principal.session_id),
    }
    signed = Signed(str(principal.user_id), key)
    return Jwt(create_access_token(signed, additional_claims=claims))

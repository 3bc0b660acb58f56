"""Unbound tokens, which existing clients treat as a key or an openid."""

from app.auth import principal_of
from app.errors import TokenInvalid
from app.services.principals import Principal


def unbound_principal(handle: str) -> Principal:
    """Return the principal of an unbound token.

    The token of a bound session is refused: a stolen one must not bind another identity.
    """
    principal = principal_of(handle)
    if principal.user_id is not None:
        raise TokenInvalid
    return principal

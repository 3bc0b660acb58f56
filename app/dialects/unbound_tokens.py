"""Unbound tokens, which existing clients receive as an `openId`, `bindKey` or `sessionKey`."""

from app.auth import principal_of
from app.errors import TokenInvalid
from app.services.principals import Principal


def unbound_principal(token: str) -> Principal:
    """Return the principal of an unbound token.

    Raises TokenInvalid for the token of a bound session, so that a stolen login token cannot be
    used to bind another identity.
    """
    principal = principal_of(token)
    if principal.user_id is not None:
        raise TokenInvalid
    return principal

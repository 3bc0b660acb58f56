"""Handles: what existing clients take for a key or an openid is the token of an unbound session."""

from app.auth import principal_of
from app.errors import TokenInvalid
from app.services.principals import Principal


def unbound_principal(handle: str) -> Principal:
    """Find whose handle it is. A login is none: who steals one must not bind with it."""
    principal = principal_of(handle)
    if principal.user_id is not None:
        raise TokenInvalid
    return principal

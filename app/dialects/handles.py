"""Handles: what existing clients take for a key or an openid is the token of an unbound session."""

from app.auth import caller_of
from app.errors import TokenInvalid
from app.services.callers import Caller


def unbound_caller(handle: str) -> Caller:
    """Find whose handle it is. A login is none: who steals one must not bind with it."""
    caller = caller_of(handle)
    if caller.user_id is not None:
        raise TokenInvalid
    return caller

"""Authentication of operators. Each view names the role that it needs with a decorator."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast
from uuid import UUID

import structlog
from flask import g
from flask_jwt_extended import get_jwt, verify_jwt_in_request

from app.auth import this_device, with_required_login
from app.errors import JwtInvalid, RoleTooLow, SignInNeeded
from app.services.operators.sessions import SignedIn, find_script_session
from app.services.operators.step_up import require_step_up
from app.services.tenant_admin.tenant_scope import TenantScope, open_tenant_scope

P = ParamSpec("P")
R = TypeVar("R")


def operator_login(view: Callable[P, R]) -> Callable[P, R]:
    """Require an operator of any role."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        g.signed_in = _signed_in()
        return view(*args, **kwargs)

    return with_required_login("operator", guarded)


def platform_login(view: Callable[P, R]) -> Callable[P, R]:
    """Require a platform admin."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        if this_operator().role != "platform":
            raise RoleTooLow
        return view(*args, **kwargs)

    return with_required_login("platform", operator_login(guarded))


def tenant_operator_required(view: Callable[..., R]) -> Callable[..., R]:
    """Require an operator who may view the tenant of the path. Others get 404."""

    @wraps(view)
    def guarded(*args: Any, slug: str, **kwargs: Any) -> R:
        g.tenant_scope = open_tenant_scope(this_operator(), slug)
        structlog.contextvars.bind_contextvars(tenant=slug)
        return view(*args, **kwargs)

    return with_required_login("tenant_operator", operator_login(guarded))


def tenant_admin_required(view: Callable[..., R]) -> Callable[..., R]:
    """Require an operator who may change the tenant of the path."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> R:
        this_tenant_scope().refuse_reader()
        return view(*args, **kwargs)

    return with_required_login("tenant_admin", tenant_operator_required(guarded))


def step_up_required(view: Callable[P, R]) -> Callable[P, R]:
    """Refuse a session without a recent proof of password and code, with `step_up_required`.

    It goes below the decorator for the role, which is checked first.
    """

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        require_step_up(this_operator())
        return view(*args, **kwargs)

    guarded.__dict__["step_up"] = True
    return guarded


def _signed_in() -> SignedIn:
    """Return the signed-in operator of the request's JWT.

    A JWT for another audience is refused. The session must still be active.
    """
    verify_jwt_in_request()
    claims = get_jwt()
    try:
        session_id = UUID(claims["operator_session"])
    except (KeyError, ValueError, TypeError, AttributeError):
        raise JwtInvalid("no operator's") from None
    signed_in = find_script_session(session_id, this_device())
    if str(signed_in.operator_id) != claims["sub"]:
        raise SignInNeeded("another operator's session")
    structlog.contextvars.bind_contextvars(operator=str(signed_in.operator_id))
    return signed_in


def this_operator() -> SignedIn:
    """Return the operator of this request."""
    return cast(SignedIn, g.signed_in)


def this_tenant_scope() -> TenantScope:
    """Return the tenant scope of the request."""
    return cast(TenantScope, g.tenant_scope)

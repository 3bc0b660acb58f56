"""Authentication and authorisation in the admin API, as view decorators."""

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
    """Require the JWT of an operator with any role."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        g.signed_in = _signed_in()
        return view(*args, **kwargs)

    return with_required_login("operator", guarded)


def platform_login(view: Callable[P, R]) -> Callable[P, R]:
    """Require the JWT of a platform admin. Raise RoleTooLow for other operators."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        if this_operator().role != "platform":
            raise RoleTooLow
        return view(*args, **kwargs)

    return with_required_login("platform", operator_login(guarded))


def tenant_operator_required(view: Callable[..., R]) -> Callable[..., R]:
    """Require an operator with access to the tenant in the path. Other operators get 404."""

    @wraps(view)
    def guarded(*args: Any, slug: str, **kwargs: Any) -> R:
        g.tenant_scope = open_tenant_scope(this_operator(), slug)
        structlog.contextvars.bind_contextvars(tenant=slug)
        return view(*args, **kwargs)

    return with_required_login("tenant_operator", operator_login(guarded))


def tenant_admin_required(view: Callable[..., R]) -> Callable[..., R]:
    """Require an operator who may change the tenant in the path. Viewers get 403."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> R:
        this_tenant_scope().refuse_reader()
        return view(*args, **kwargs)

    return with_required_login("tenant_admin", tenant_operator_required(guarded))


def step_up_required(view: Callable[P, R]) -> Callable[P, R]:
    """Raise StepUpRequired if the last sign-in or step-up of the session is not recent.

    Place the decorator below the role decorator, so that the role is checked first.
    """

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        require_step_up(this_operator())
        return view(*args, **kwargs)

    guarded.__dict__["step_up"] = True
    return guarded


def _signed_in() -> SignedIn:
    """Return the operator of the JWT in the request.

    Raise an error if the JWT is invalid or has another audience, or if its session has ended.
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
    """Return the operator of this request, as stored by `operator_login`."""
    return cast(SignedIn, g.signed_in)


def this_tenant_scope() -> TenantScope:
    """Return the tenant scope of this request, as stored by `tenant_operator_required`."""
    return cast(TenantScope, g.tenant_scope)

"""Authentication of requests. A decorator on every view declares which login it requires."""

import select
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from socket import socket
from typing import Any, ParamSpec, TypeVar, cast, overload
from uuid import UUID

import structlog
from flask import g, request
from gevent.monkey import get_original

from app.errors import (
    AppDisabled,
    LoginUnbound,
    NoUser,
    SwitchedOff,
    TenantDisabled,
    TokenMissing,
    TokenOfAnotherApp,
    TokenOfAnotherTenant,
    TokensDiffer,
    UserDisabled,
)
from app.proxies import parse_address
from app.services.principals import Device, Principal
from app.services.sessions.authentication import authenticate

P = ParamSpec("P")
R = TypeVar("R")

# The original `select.poll`: gevent's does not support POLLRDHUP.
poll = get_original("select", "poll")
# Only Linux has it. Without it, poll reports a connection that is closed in both directions.
POLLRDHUP: int = getattr(select, "POLLRDHUP", 0)

# The headers in which clients send their login token. Authorization is read first.
AUTHORIZATION = "Authorization"
BARE_TOKEN_HEADERS = ("X-Litemall-Token", "X-OA-Token")
# Values that JavaScript clients send in a token header if they have no token.
NO_TOKENS = {"", "undefined", "null"}
AUDIENCES = {"tenant", "appid"}
DISABLED = (AppDisabled, TenantDisabled, UserDisabled)
LONGEST_TOKEN = 128
LONGEST_DEVICE = 200
# The key in the WSGI environment of the error with which the fast path failed to read the session.
FAILED_READ = "wxpass.failed_read"


@dataclass(frozen=True, slots=True)
class CurrentUser:
    """The logged-in user who sent the request, with the tenant, app and login session."""

    user_id: UUID
    tenant_id: UUID
    appid: str
    session_id: UUID


def find_token(authorization: str, *bare_tokens: str) -> str | None:
    """Return the login token in the values of the token headers, or None if there is none.

    `Bearer undefined`, `Bearer null` and an empty header count as no token. Raises TokensDiffer if
    the headers hold different tokens.
    """
    scheme, _, token = authorization.partition(" ")
    sent = {token, *bare_tokens} if scheme.lower() == "bearer" else set(bare_tokens)
    tokens = {token.strip() for token in sent} - NO_TOKENS
    if len(tokens) > 1:
        raise TokensDiffer
    return next(iter(tokens), None)


def find_bearer_token() -> str | None:
    """Return the login token of the request, or None if there is none. Raise TokensDiffer."""
    headers = request.headers
    bare = (headers.get(name, "") for name in BARE_TOKEN_HEADERS)
    return find_token(headers.get(AUTHORIZATION, ""), *bare)


def bearer_token() -> str:
    """Return the login token of the request. Raise TokenMissing if there is none."""
    token = find_bearer_token()
    if token is None:
        raise TokenMissing
    return token


def principal_of(token: str, *, even_expired: bool = False) -> Principal:
    """Return the principal of a token. Raise what `authenticate` raises, and TokenOfAnotherApp.

    If the request names an app, the token must have been issued for that app. Raises the database
    error of the fast path instead of reading the session again.
    """
    if FAILED_READ in request.environ:
        raise request.environ[FAILED_READ]
    principal = authenticate(token[:LONGEST_TOKEN], even_expired=even_expired)
    if g.appid not in (None, principal.appid):
        raise TokenOfAnotherApp
    structlog.contextvars.bind_contextvars(appid=principal.appid, tenant=principal.tenant_slug)
    return principal


def no_login(view: Callable[P, R]) -> Callable[P, R]:
    """Mark a view that requires no login."""
    return with_required_login("none", view)


def any_login(view: Callable[P, R]) -> Callable[P, R]:
    """Require a login token, of a bound or an unbound session."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        g.principal = principal_of(bearer_token())
        return view(*args, **kwargs)

    return with_required_login("any", guarded)


def any_login_to_end(view: Callable[P, R]) -> Callable[P, R]:
    """Require a login token that may have expired. For logging out."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        g.principal = principal_of(bearer_token(), even_expired=True)
        return view(*args, **kwargs)

    return with_required_login("any_to_end", guarded)


def bound_login(view: Callable[P, R]) -> Callable[P, R]:
    """Require the login token of a session that is bound to a user. Raise LoginUnbound."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        if this_principal().user_id is None:
            raise LoginUnbound
        return view(*args, **kwargs)

    return with_required_login("bound", any_login(guarded))


@overload
def login_required(view: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def login_required(
    *, tenant: str = ..., appid: str = ...
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def login_required(view: Callable[..., Any] | None = None, /, **audience: str) -> Any:
    """Return a decorator for views that only a user may call. `current_user()` returns the user.

    Used as `@login_required`, as `@login_required(tenant="acme")` for users of the tenant with
    this slug, or as `@login_required(appid="wx...")` for users of one mini-program. The token may
    be sent in any of the token headers.

    The view responds 401 to an unbound login (NoUser) and to a disabled user, app or tenant
    (SwitchedOff), and 403 to a user of another tenant or mini-program (TokenOfAnotherTenant,
    TokenOfAnotherApp).

    Raises TypeError, when the view is defined, if `tenant` or `appid` is not a non-empty string.
    """
    named = all(isinstance(one, str) and one for one in audience.values())
    if not named or audience.keys() - AUDIENCES or not (view is None or callable(view)):
        raise TypeError('login_required takes tenant="<slug>" and appid="<appid>", not empty')
    return _users_only(view) if view else lambda decorated: _users_only(decorated, **audience)


def _users_only(
    view: Callable[P, R], *, tenant: str | None = None, appid: str | None = None
) -> Callable[P, R]:
    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            g.principal = principal_of(bearer_token())
        except DISABLED as failure:
            raise SwitchedOff(failure.code) from None
        if this_principal().user_id is None:
            raise NoUser
        require_audience(tenant=tenant, appid=appid)
        return view(*args, **kwargs)

    return with_required_login("user", guarded)


def require_audience(*, tenant: str | None = None, appid: str | None = None) -> None:
    """Raise TokenOfAnotherTenant or TokenOfAnotherApp if the login is for another audience.

    `tenant` is a slug. None permits every tenant or app.
    """
    principal = this_principal()
    if tenant not in (None, principal.tenant_slug):
        raise TokenOfAnotherTenant
    if appid not in (None, principal.appid):
        raise TokenOfAnotherApp


def with_required_login(login: str, view: Callable[P, R]) -> Callable[P, R]:
    """Record on a view which login it requires, for example "none", "any" or "bound"."""
    view.__dict__["login"] = login
    return view


def this_principal() -> Principal:
    """Return the principal of this request. The view must require a login."""
    return cast(Principal, g.principal)


def current_user() -> CurrentUser:
    """Return the user who sent the request. The view must require a bound login."""
    principal = this_principal()
    return CurrentUser(this_user_id(), principal.tenant_id, principal.appid, principal.session_id)


def this_tenant_id() -> UUID:
    """Return the id of the tenant of this request's login."""
    return this_principal().tenant_id


def this_user_id() -> UUID:
    """Return the id of the user of this request's bound login."""
    return cast(UUID, this_principal().user_id)


def this_device() -> Device:
    """Return the User-Agent and IP address of this request, cleaned for storage and display."""
    agent = request.headers.get("User-Agent", "")
    if not agent.isprintable():
        agent = "".join(char for char in agent if char.isprintable())
    address = parse_address(request.remote_addr or "")
    return Device(
        agent[:LONGEST_DEVICE] or None,
        str(address) if address else None,
        partial(_has_disconnected, request.environ.get("gunicorn.socket")),
    )


def _has_disconnected(connection: socket | None) -> bool:
    """Return whether the client has closed its connection. Never blocks."""
    if connection is None:
        return False
    look = poll()
    look.register(connection.fileno(), POLLRDHUP)
    return bool(look.poll(0))

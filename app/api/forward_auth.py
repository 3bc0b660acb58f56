"""Authorization requests: a proxy asks whether it may pass on a client's request.

nginx, Traefik, Caddy and APISIX ask at the address of their configuration. Envoy uses the client's
method, and appends the client's path and query to that address. An authorization request is
therefore handled as a GET of the address itself; its body is never read.
"""

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_plus

from app.services.principals import Principal

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

VERIFY = "/v1/verify"
# Nothing behind the address is looked at, so no `..` or `%2F` in it changes the audience.
ADDRESS = re.compile(
    rf"({VERIFY}|/v1/apps/([^/]+)/verify|/v1/tenants/([^/]+)/verify)(/.*)?", re.DOTALL
)
ROUTES = {"appid": "/v1/apps/<string:appid>/verify", "tenant": "/v1/tenants/<string:slug>/verify"}
SUCCESS = "wxpass.success_status"


# The headers that name the user of a request, and the attribute of the principal in each.
IDENTITY_HEADERS = {
    "X-User-Id": "user_id",
    "X-Tenant-Id": "tenant_id",
    "X-App-Id": "appid",
    "X-Session-Id": "session_id",
}


def verify_headers(principal: Principal, status: HTTPStatus) -> dict[str, str]:
    """Return the headers of a successful response to an authorization request. It has no body."""
    identity = {name: str(getattr(principal, what)) for name, what in IDENTITY_HEADERS.items()}
    length = {"Content-Length": "0"} if status == HTTPStatus.OK else {}
    return {"Content-Type": "text/html; charset=utf-8", **identity, **length}


class AuthRequest(NamedTuple):
    """An authorization request: its address, the audience in it, and the path behind it.

    `success` is the status that lets the client's request pass. Envoy takes no other than 200.
    """

    address: str
    route: str
    success: HTTPStatus
    appid: str | None = None
    tenant: str | None = None
    appended: str = ""

    def plainly_admits(self, principal: Principal, query: str) -> bool:
        """Return whether the caller is of the audience, and the query needs no parsing."""
        if self.appid not in (None, principal.appid) or self.tenant not in (
            None,
            principal.tenant_slug,
        ):
            return False
        return not query or len(self.appended) > 1 or query == f"tenant={principal.tenant_slug}"

    def as_get(self, environ: "WSGIEnvironment") -> "WSGIEnvironment":
        """Change the request into a GET, or HEAD, of the address."""
        if environ["REQUEST_METHOD"] != "HEAD":
            environ["REQUEST_METHOD"] = "GET"
        if self.appended:
            environ["PATH_INFO"] = self.address
            environ["QUERY_STRING"] = self._own_query(environ.get("QUERY_STRING", ""))
        environ[SUCCESS] = self.success
        return environ

    def _own_query(self, query: str) -> str:
        """Return what of the query is meant for us.

        Behind an appended path the query is the client's. A slash alone may as well be a slip in
        a configuration, which must not switch the check off.
        """
        if len(self.appended) > 1:
            return ""
        named = ((unquote_plus(part.partition("=")[0]), part) for part in query.split("&"))
        return "&".join(part for name, part in named if name == "tenant")


PLAIN = AuthRequest(VERIFY, VERIFY, HTTPStatus.NO_CONTENT)


def find_auth_request(path: str) -> AuthRequest | None:
    """Return the authorization request that a path stands for, or None for another path."""
    if path == VERIFY:
        return PLAIN
    match = ADDRESS.fullmatch(path) if "/verify" in path else None
    if match is None:
        return None
    address, appid, tenant, appended = match.groups()
    route = ROUTES["appid"] if appid else ROUTES["tenant"] if tenant else VERIFY
    success = HTTPStatus.OK if appended else HTTPStatus.NO_CONTENT
    return AuthRequest(address, route, success, appid, tenant, appended or "")

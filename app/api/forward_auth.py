"""Authorization requests, with which a proxy checks a client's login token.

nginx, Traefik, Caddy and APISIX send a request to the configured verification path. Envoy uses the
client's method, and appends the client's path and query to the verification path. An authorization
request is therefore handled as a GET of the verification path. The request body is never read.
"""

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_plus

from app.services.principals import Principal

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

VERIFY = "/v1/verify"
# The appended path is never interpreted, so `..` or `%2F` in it cannot change the audience.
ADDRESS = re.compile(
    rf"({VERIFY}|/v1/apps/([^/]+)/verify|/v1/tenants/([^/]+)/verify)(/.*)?", re.DOTALL
)
ROUTES = {"appid": "/v1/apps/<string:appid>/verify", "tenant": "/v1/tenants/<string:slug>/verify"}
SUCCESS = "wxpass.success_status"

# Response headers that identify the user, and the attribute of the principal for each.
IDENTITY_HEADERS = {
    "X-User-Id": "user_id",
    "X-Tenant-Id": "tenant_id",
    "X-App-Id": "appid",
    "X-Session-Id": "session_id",
}


def verify_headers(principal: Principal, status: HTTPStatus) -> dict[str, str]:
    """Return the headers of the empty response to a successful authorization request."""
    identity = {name: str(getattr(principal, what)) for name, what in IDENTITY_HEADERS.items()}
    length = {"Content-Length": "0"} if status == HTTPStatus.OK else {}
    return {"Content-Type": "text/html; charset=utf-8", **identity, **length}


class AuthRequest(NamedTuple):
    """An authorization request, parsed from the request path.

    `address` is the verification path without the path that Envoy appends, which is `appended`.
    `appid` or `tenant` is the audience in the verification path. `route` is the matching URL rule.
    `success` is the status of a successful response: 200 for Envoy, which requires it, or else 204.
    """

    address: str
    route: str
    success: HTTPStatus
    appid: str | None = None
    tenant: str | None = None
    appended: str = ""

    def admits_without_parsing(self, principal: Principal, query: str) -> bool:
        """Return True if the principal belongs to the audience and the query needs no parsing."""
        if self.appid not in (None, principal.appid) or self.tenant not in (
            None,
            principal.tenant_slug,
        ):
            return False
        return not query or len(self.appended) > 1 or query == f"tenant={principal.tenant_slug}"

    def as_get(self, environ: "WSGIEnvironment") -> "WSGIEnvironment":
        """Change `environ` into a GET of the verification path. A HEAD request stays HEAD."""
        if environ["REQUEST_METHOD"] != "HEAD":
            environ["REQUEST_METHOD"] = "GET"
        if self.appended:
            environ["PATH_INFO"] = self.address
            environ["QUERY_STRING"] = self._own_query(environ.get("QUERY_STRING", ""))
        environ[SUCCESS] = self.success
        return environ

    def _own_query(self, query: str) -> str:
        """Return the part of the query that the proxy's configuration sets.

        After an appended path, the whole query is the client's. A lone slash may also be a typing
        error in the configuration, so the `tenant` parameter is still checked.
        """
        if len(self.appended) > 1:
            return ""
        named = ((unquote_plus(part.partition("=")[0]), part) for part in query.split("&"))
        return "&".join(part for name, part in named if name == "tenant")


PLAIN = AuthRequest(VERIFY, VERIFY, HTTPStatus.NO_CONTENT)


def find_auth_request(path: str) -> AuthRequest | None:
    """Return the authorization request for a path, or None if it is no verification path."""
    if path == VERIFY:
        return PLAIN
    match = ADDRESS.fullmatch(path) if "/verify" in path else None
    if match is None:
        return None
    address, appid, tenant, appended = match.groups()
    route = ROUTES["appid"] if appid else ROUTES["tenant"] if tenant else VERIFY
    success = HTTPStatus.OK if appended else HTTPStatus.NO_CONTENT
    return AuthRequest(address, route, success, appid, tenant, appended or "")

"""Login token verification for proxies, and JWTs for business back ends."""

from http import HTTPStatus
from typing import Any

from flask import Response, request

from app.api.blueprint import Blueprint
from app.api.forward_auth import SUCCESS, verify_headers
from app.api.openapi.tags import VERIFICATION
from app.auth import bound_login, login_required, no_login, require_audience, this_principal
from app.schemas.descriptions import examples
from app.schemas.jwts import JwksResponse, JwtResponse
from app.schemas.queries import AudienceParams, AudienceQuery
from app.schemas.requests import EmptyBody, EmptyRequest
from app.services.signing import jwts, signing_keys
from app.tenancy import appid_as_audience

blp = Blueprint("identity", __name__, tag=VERIFICATION)

KEPT_SECONDS = int(signing_keys.PUBLISHED_BEFORE.total_seconds())
DESCRIBED = {
    "X-User-Id": ("Id of the user.", examples.USER_ID),
    "X-Tenant-Id": ("Id of the tenant.", examples.TENANT_ID),
    "X-App-Id": ("Appid of the mini-program of the login.", examples.APPID),
    "X-Session-Id": ("Id of the session.", examples.SESSION_ID),
}
HEADERS = {
    name: {"description": text, "schema": {"type": "string"}, "example": example}
    for name, (text, example) in DESCRIBED.items()
}
VALID = "The token is valid. The headers identify its user."


@blp.get("/v1/verify", provide_automatic_options=False)
@login_required
@blp.arguments(AudienceQuery, location="query")
@blp.response(204, description=VALID, headers=HEADERS)
def verify(query: AudienceParams) -> Response:
    """Verify a login token.

    Returns 204 and the user in response headers if the token is valid and bound. Made for the
    forward-auth of nginx, Caddy, Traefik, Envoy and APISIX; back ends can call it directly.

    Every method is accepted. If a path is appended, as Envoy does, the query is ignored and the
    status is 200.
    """
    return _identity_of(query)


@blp.get("/v1/apps/<string:appid>/verify", provide_automatic_options=False)
@appid_as_audience
@login_required
@blp.arguments(AudienceQuery, location="query")
@blp.response(204, description=VALID, headers=HEADERS)
def verify_for_app(query: AudienceParams) -> Response:
    """Verify a login token for one mini-program.

    Works like `/v1/verify`, but responds 403 to logins in other mini-programs. Use it for an API
    that belongs to one mini-program.
    """
    return _identity_of(query)


@blp.get("/v1/tenants/<string:slug>/verify", provide_automatic_options=False)
@login_required
@blp.arguments(AudienceQuery, location="query")
@blp.response(204, description=VALID, headers=HEADERS)
def verify_for_tenant(query: AudienceParams, slug: str) -> Response:
    """Verify a login token for one tenant.

    Works like `/v1/verify`, but responds 403 to users of other tenants. Use it for an API that
    all mini-programs of a tenant share.
    """
    require_audience(tenant=slug)
    return _identity_of(query)


def _identity_of(query: AudienceParams) -> Response:
    require_audience(tenant=query.tenant)
    status = request.environ.get(SUCCESS, HTTPStatus.NO_CONTENT)
    return Response(b"", status=status, headers=verify_headers(this_principal(), status))


@blp.post("/v1/apps/<string:appid>/jwt")
@bound_login
@blp.arguments(EmptyRequest, required=False)
@blp.response(200, JwtResponse)
def issue_jwt(body: EmptyBody) -> jwts.Jwt:
    """Issue a JWT for back ends.

    Returns a signed JWT that names the user, valid for ten minutes. Back ends verify it offline
    with the keys of `/.well-known/jwks.json`. It cannot be revoked, and it is not a login
    token.
    """
    return jwts.issue_jwt(this_principal())


@blp.get("/.well-known/jwks.json")
@no_login
@blp.response(200, JwksResponse)
def show_public_keys() -> Any:
    """List the public keys of JWTs.

    Returns the JSON Web Key Set that verifies JWTs of wxpass. Cache it for five minutes, and
    fetch it again if a JWT names an unknown `kid`.
    """
    keys = [key.jwk() for key in signing_keys.published_keys()]
    return {"keys": keys}, 200, {"Cache-Control": f"public, max-age={KEPT_SECONDS}"}

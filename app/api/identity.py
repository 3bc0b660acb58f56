"""Login token verification for proxies, and JWTs for business back ends."""

from http import HTTPStatus
from typing import Any

from flask import Response, request

from app.api.blueprint import Blueprint
from app.api.forward_auth import IDENTITY_HEADERS, SUCCESS, verify_headers
from app.auth import bound_login, login_required, no_login, require_audience, this_principal
from app.schemas.jwts import JwksResponse, JwtResponse
from app.schemas.requests import AudienceParams, AudienceQuery, EmptyBody, EmptyRequest
from app.services.signing import jwts, signing_keys
from app.tenancy import appid_as_audience

blp = Blueprint("identity", __name__)

KEPT_SECONDS = int(signing_keys.PUBLISHED_BEFORE.total_seconds())
DESCRIBED = {name: {"schema": {"type": "string"}} for name in IDENTITY_HEADERS}


@blp.get("/v1/verify", provide_automatic_options=False)
@login_required
@blp.arguments(AudienceQuery, location="query")
@blp.response(204, headers=DESCRIBED)
def verify(query: AudienceParams) -> Response:
    """Verify a login token and return its user in headers, for proxies (forward-auth).

    Every method is accepted. If a path is appended, as Envoy does, the query is ignored and the
    status is 200.
    """
    return _identity_of(query)


@blp.get("/v1/apps/<string:appid>/verify", provide_automatic_options=False)
@appid_as_audience
@login_required
@blp.arguments(AudienceQuery, location="query")
@blp.response(204, headers=DESCRIBED)
def verify_for_app(query: AudienceParams) -> Response:
    """Verify a login token, but respond 403 to users of other mini-programs."""
    return _identity_of(query)


@blp.get("/v1/tenants/<string:slug>/verify", provide_automatic_options=False)
@login_required
@blp.arguments(AudienceQuery, location="query")
@blp.response(204, headers=DESCRIBED)
def verify_for_tenant(query: AudienceParams, slug: str) -> Response:
    """Verify a login token, but respond 403 to users of other tenants."""
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
    """Issue a JWT for the session, valid for ten minutes. Back ends verify its signature."""
    return jwts.issue_jwt(this_principal())


@blp.get("/.well-known/jwks.json")
@no_login
@blp.response(200, JwksResponse)
def show_public_keys() -> Any:
    """Return the public keys that verify JWTs of wxpass. They may be cached for five minutes."""
    keys = [key.jwk() for key in signing_keys.published_keys()]
    return {"keys": keys}, 200, {"Cache-Control": f"public, max-age={KEPT_SECONDS}"}

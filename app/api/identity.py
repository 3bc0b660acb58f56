"""Who is this? For business back ends that are not in this process."""

from typing import Any

from flask import Response

from app.api.blueprint import Blueprint
from app.auth import bound_login, login_required, no_login, this_caller
from app.schemas.jwts import JwksResponse, JwtResponse
from app.schemas.requests import EmptyRequest
from app.services import jwts, signing_keys
from app.services.callers import Caller

blp = Blueprint("identity", __name__)

KEPT_SECONDS = int(signing_keys.PUBLISHED_BEFORE.total_seconds())
IDENTITY_HEADERS = {
    "X-User-Id": "user_id",
    "X-Tenant-Id": "tenant_id",
    "X-App-Id": "appid",
    "X-Session-Id": "session_id",
}
DESCRIBED = {name: {"schema": {"type": "string"}} for name in IDENTITY_HEADERS}


def identity_headers(caller: Caller) -> dict[str, str]:
    """Spell whose login it is for a proxy to pass on."""
    return {name: str(getattr(caller, what)) for name, what in IDENTITY_HEADERS.items()}


@blp.get("/v1/verify")
@login_required
@blp.response(204, headers=DESCRIBED)
def verify() -> Response:
    """Say in headers whose login a request carries, for a proxy's auth_request or forward-auth."""
    return Response(status=204, headers=identity_headers(this_caller()))


@blp.post("/v1/apps/<string:appid>/jwt")
@bound_login
@blp.arguments(EmptyRequest, required=False)
@blp.response(200, JwtResponse)
def issue_jwt(body: dict[str, Any]) -> jwts.Jwt:
    """Trade the login token for a JWT of ten minutes that a back end verifies by itself."""
    return jwts.issue_jwt(this_caller())


@blp.get("/.well-known/jwks.json")
@no_login
@blp.response(200, JwksResponse)
def show_public_keys() -> Any:
    """Publish the keys that verify our JWTs. Keep them for five minutes at most."""
    keys = [key.jwk() for key in signing_keys.published_keys()]
    return {"keys": keys}, 200, {"Cache-Control": f"public, max-age={KEPT_SECONDS}"}

"""Who is this? For business back ends that are not in this process."""

from flask import Response

from app.api.blueprint import Blueprint
from app.auth import current_user, login_required

blp = Blueprint("identity", __name__)

IDENTITY_HEADERS = {
    "X-User-Id": "user_id",
    "X-Tenant-Id": "tenant_id",
    "X-App-Id": "appid",
    "X-Session-Id": "session_id",
}
DESCRIBED = {name: {"schema": {"type": "string"}} for name in IDENTITY_HEADERS}


@blp.get("/v1/verify")
@login_required
@blp.response(204, headers=DESCRIBED)
def verify() -> Response:
    """Say in headers whose login a request carries, for a proxy's auth_request or forward-auth."""
    user = current_user()
    headers = {name: str(getattr(user, what)) for name, what in IDENTITY_HEADERS.items()}
    return Response(status=204, headers=headers)

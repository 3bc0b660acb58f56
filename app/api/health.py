"""Liveness and readiness endpoints for load balancers and orchestrators."""

from app.api.blueprint import Blueprint
from app.auth import no_login
from app.schemas.responses import LivenessResponse, StatusResponse
from app.services.encryption.readiness import check_readiness
from app.version import VERSION

blp = Blueprint("health", __name__)


@blp.get("/healthz")
@no_login
@blp.response(200, LivenessResponse)
def process_is_alive() -> dict[str, str]:
    """Return 200 and the version of wxpass. Does not use the database."""
    return {"status": "ok", "version": VERSION}


@blp.get("/readyz")
@no_login
@blp.response(200, StatusResponse)
def service_is_ready() -> dict[str, str]:
    """Return 200 if the database responds and this release can use its schema, else 503."""
    check_readiness()
    return {"status": "ready"}

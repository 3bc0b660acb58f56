"""What the machinery around the service asks."""

from app.api.blueprint import Blueprint
from app.auth import no_login
from app.services.readiness import check_readiness

blp = Blueprint("health", __name__)


@blp.get("/healthz")
@no_login
@blp.response(200)
def process_is_alive() -> dict[str, str]:
    """Say that the process runs; asks nobody."""
    return {"status": "ok"}


@blp.get("/readyz")
@no_login
@blp.response(200)
def service_is_ready() -> dict[str, str]:
    """Say that the database answers and its tables are the ones this code was written for."""
    check_readiness()
    return {"status": "ready"}

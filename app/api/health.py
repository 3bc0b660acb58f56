"""Liveness and readiness endpoints for load balancers and orchestrators."""

import json

from flask import Response, request

from app.api.blueprint import Blueprint
from app.api.openapi.errors import NOT_READY
from app.api.openapi.tags import HEALTH
from app.auth import no_login
from app.schemas.responses import LivenessResponse, StatusResponse
from app.services.encryption.readiness import check_readiness
from app.services.proxy_probe import is_valid_question
from app.version import VERSION

# The question of `flask doctor`, and the header with the answer.
QUESTION, ANSWER = "X-Wxpass-Doctor", "X-Wxpass-Seen"

blp = Blueprint("health", __name__, tag=HEALTH)


def _tell_doctor(response: Response) -> Response:
    """Add the client address, scheme and host that this service sees, if a valid question asks."""
    if is_valid_question(request.headers.get(QUESTION, "")):
        seen = {"address": request.remote_addr, "scheme": request.scheme, "host": request.host}
        response.headers[ANSWER] = json.dumps(seen)
    return response


blp.after_request(_tell_doctor)


@blp.get("/healthz")
@no_login
@blp.response(200, LivenessResponse)
def process_is_alive() -> dict[str, str]:
    """Check that the process runs.

    Returns 200 and the version of wxpass. Does not use the database, so it is fit for a
    liveness probe.
    """
    return {"status": "ok", "version": VERSION}


@blp.get("/readyz")
@no_login
@blp.response(200, StatusResponse)
@blp.errors(*NOT_READY)
def service_is_ready() -> dict[str, str]:
    """Check that the service is ready.

    Returns 200 if the database responds and this release can use its schema and keys. Otherwise
    the problem says what an operator has to do. Fit for a readiness probe.
    """
    check_readiness()
    return {"status": "ready"}

"""The host names under which the console answers."""

from flask import current_app, request
from werkzeug.sansio.utils import host_is_trusted


def is_allowed_host() -> bool:
    """Return whether ALLOWED_HOSTS is empty or contains the host of the request."""
    allowed = current_app.config["ALLOWED_HOSTS"]
    return not allowed or host_is_trusted(request.host.lower(), allowed)

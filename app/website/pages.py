"""Routes of the website: the pages, the icon and the static files. None needs a login."""

from flask import Blueprint, Response, request

from app.auth import no_login
from app.headers import EXPLORER, LANDING
from app.languages import speak
from app.website.readiness import find_problem
from app.website.rendering import show
from app.website.static_files import ICON, send_current, send_versioned

pages = Blueprint("website", __name__, template_folder="templates")


@pages.before_request
def _set_language() -> None:
    speak(request.args.get("lang"))


@pages.get("/")
@no_login
def show_landing_page() -> Response:
    """Show what the service is, whether it is ready, and where to go next."""
    return show("website/landing.html", LANDING, problem=find_problem())


@pages.get("/docs", strict_slashes=False)
@no_login
def show_api_explorer() -> Response:
    """Show the operations of `/openapi.json`, with forms that send requests."""
    return show("website/explorer.html", EXPLORER)


@pages.get("/favicon.ico")
@no_login
def send_icon() -> Response:
    """Send the icon that browsers request for responses without a link to one."""
    return send_current(ICON)


@pages.get("/website/<version>/<path:name>")
@no_login
def send_file(version: str, name: str) -> Response:
    """Send a static file. Its address contains the version of all files."""
    return send_versioned(version, name)

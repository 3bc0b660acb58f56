"""Routes of the website: the pages, the icon and the static files. None needs a login."""

from flask import Blueprint, Response, render_template, request
from flask_babel import get_locale

from app.auth import no_login
from app.headers import EXPLORER, LANDING, nonce, policy_of
from app.languages import SPOKEN, speak
from app.website.demo import find_demo
from app.website.guide import find_guide
from app.website.readiness import find_problem
from app.website.static_files import ICON, send_current, send_versioned, url_of

pages = Blueprint("website", __name__, template_folder="templates")


@pages.before_request
def _set_language() -> None:
    speak(request.args.get("lang"))


@pages.context_processor
def _template_values() -> dict[str, object]:
    asked = request.args.get("lang")
    return {
        "language": str(get_locale()),
        # Kept in links to the other page. None if the browser's setting decides.
        "chosen": asked if asked in SPOKEN else None,
        "nonce": nonce(),
        "url_of": url_of,
        "find_demo": find_demo,
        "find_guide": find_guide,
    }


@pages.get("/")
@no_login
def show_landing_page() -> Response:
    """Show what the service is, whether it is ready, and where to go next."""
    return _page("website/landing.html", LANDING, problem=find_problem())


@pages.get("/docs", strict_slashes=False)
@no_login
def show_api_explorer() -> Response:
    """Show the operations of `/openapi.json`, with forms that send requests."""
    return _page("website/explorer.html", EXPLORER)


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


def _page(template: str, policy: str, **values: object) -> Response:
    response = Response(render_template(template, **values))
    response.headers["Content-Security-Policy"] = policy_of(policy)
    response.headers["Content-Language"] = str(get_locale())
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
    return response

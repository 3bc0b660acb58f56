"""Pages of the website: their templates and headers."""

from flask import Response, render_template, request
from flask_babel import get_locale

from app.headers import nonce, policy_of
from app.languages import SPOKEN
from app.website.demo import find_demo
from app.website.links import find_console, find_guide
from app.website.static_files import url_of


def show(template: str, policy: str, status: int = 200, **values: object) -> Response:
    """Return a page. `policy` is the kind of its Content-Security-Policy."""
    page = render_template(template, **_common_values(), **values)
    response = Response(page, status)
    response.headers["Content-Security-Policy"] = policy_of(policy)
    response.headers["Content-Language"] = str(get_locale())
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
    return response


def _common_values() -> dict[str, object]:
    asked = request.args.get("lang")
    return {
        "language": str(get_locale()),
        # Kept in links to the other page. None if the browser's setting decides.
        "chosen": asked if asked in SPOKEN else None,
        "nonce": nonce(),
        "url_of": url_of,
        "find_demo": find_demo,
        "guide": find_guide(),
        "console": find_console(),
    }

"""The page of the demo phone, and its assets."""

from pathlib import Path

from flask import Blueprint, Response, redirect, request, send_from_directory
from werkzeug.wrappers import Response as AnyResponse

FOLDER = Path(__file__).parent / "static"
LANGUAGES = {"en": "en", "zh": "zh-CN"}
HEADERS = {
    # No inline scripts or styles, and nothing from other hosts.
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

pages = Blueprint("demo_pages", __name__, url_prefix="/demo")


@pages.get("")
def without_slash() -> AnyResponse:
    """Redirect to the page."""
    return redirect("/demo/")


@pages.get("/")
def show_page() -> Response:
    """Show the demo phone, in the language that the browser prefers."""
    text = (FOLDER / "index.html").read_text()
    return Response(text.replace('lang="en"', f'lang="{LANGUAGES[_language()]}"'))


@pages.get("/<name>")
def send_asset(name: str) -> Response:
    """Send a script or style sheet."""
    return send_from_directory(FOLDER, name)


@pages.after_request
def _protect(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response


def _language() -> str:
    return request.accept_languages.best_match(LANGUAGES, default="en")

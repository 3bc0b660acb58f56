"""The documentation site at `/docs/guide/`, in development. `make docs` builds it."""

import os
from mimetypes import guess_type
from pathlib import Path
from typing import cast

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.security import safe_join

from app.auth import no_login
from app.errors import NotFound
from app.headers import GUIDE, LANDING, POLICIES
from app.languages import accepted_language, speak
from app.website.links import CHINESE, SHOW_GUIDE
from app.website.rendering import show
from config import documentation

guide = Blueprint("guide", __name__)

# Only a header can forbid frames. A page has the rest of its policy in a meta element, with the
# hashes of its scripts (config/documentation/inline_scripts.py).
PAGE_POLICY = "frame-ancestors 'none'"
RELOAD_SECONDS = 3
PROBLEM = "application/problem+json"


@guide.get("/docs/guide/")
@guide.get("/docs/guide/<path:name>")
@no_login
def show_guide(name: str = "") -> Response:
    """Send a page or a file of the documentation site."""
    return _send_or_explain(name)


def _send_or_explain(name: str) -> Response:
    """Return a file, or a page that explains why there is none.

    A browser gets the home page in its language if a person has entered the address. While the site
    is not built, all clients get a page that reloads by itself. For an unknown file, browsers get a
    page that leads to the start of the site. Raises NotFound for other clients.
    """
    if not documentation.HOME.exists():
        return _show_build(name)
    if not name and _is_typed() and accepted_language() == "zh":
        return redirect(url_for(SHOW_GUIDE, name=CHINESE))  # type: ignore[return-value]
    try:
        return _send(name)
    except NotFound:
        if request.accept_mimetypes.best_match([PROBLEM, "text/html"]) != "text/html":
            raise
        return _show_unknown(name)


def _is_typed() -> bool:
    """Return whether a person has entered the address. Links of the site choose the language."""
    return request.headers.get("Sec-Fetch-Site") == "none"


def _show_unknown(name: str) -> Response:
    _speak(name)
    return show("website/guide_not_found.html", LANDING, 404)


def _show_build(name: str) -> Response:
    _speak(name)
    response = show("website/guide_build.html", LANDING, 503, seconds=RELOAD_SECONDS)
    response.headers["Retry-After"] = str(RELOAD_SECONDS)
    return response


def _speak(name: str) -> None:
    """Set the language to `lang` of the address, or else to that of the asked page."""
    speak(request.args.get("lang", "zh" if name.startswith(CHINESE) else None))


def _send(name: str) -> Response:
    """Return a file. The file of a folder is its index.html, at an address that ends with a slash.

    Raises NotFound, also for addresses outside the site, and for files that a build removes.
    """
    path = safe_join(str(documentation.SITE), name)
    if path is None:
        raise NotFound
    is_folder = not name or name.endswith("/")
    # Unlike the method of Path, it raises no error for names that are too long.
    if not is_folder and os.path.isdir(path):
        return redirect(url_for(SHOW_GUIDE, name=f"{name}/"))  # type: ignore[return-value]
    file = Path(path, "index.html") if is_folder else Path(path)
    try:
        # Read in one step, because a build can replace the file at any time.
        content = file.read_bytes()
    except (OSError, ValueError):
        raise NotFound from None
    return _respond(content, guess_type(file.name)[0] or "application/octet-stream")


def _respond(content: bytes, kind: str) -> Response:
    """Return the content of a file, or 304 if the browser has it."""
    response = Response(content, mimetype=kind)
    policy = PAGE_POLICY if kind == "text/html" else POLICIES[GUIDE]
    response.headers["Content-Security-Policy"] = policy
    # A browser asks again at each visit, because a new build changes the files.
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    return cast(Response, response.make_conditional(request))

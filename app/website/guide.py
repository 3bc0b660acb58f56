"""The documentation site at `/docs/guide/`, in development. `make docs` builds it."""

from pathlib import Path

from flask import Blueprint, Response, current_app, redirect, send_from_directory, url_for
from flask_babel import get_locale, gettext
from werkzeug.security import safe_join

from app.auth import no_login
from app.headers import GUIDE, POLICIES
from config import documentation
from config.documentation.inline_scripts import find_policy

guide = Blueprint("guide", __name__)

SHOW = "guide.show_guide"
CHINESE = "zh-CN/"


@guide.get("/docs/guide/")
@guide.get("/docs/guide/<path:name>")
@no_login
def show_guide(name: str = "") -> Response:
    """Send a page or a file of the documentation site."""
    return _send(name)


def find_guide() -> str | None:
    """Return the address of the site in the language of this request.

    Returns None if the site is not built or not served.
    """
    if SHOW not in current_app.view_functions or not documentation.HOME.exists():
        return None
    return url_for(SHOW, name=CHINESE if str(get_locale()) == "zh" else None)


def _send(name: str) -> Response:
    """Return a file. The file of a folder is its index.html, at an address that ends with a slash.

    Raises NotFound, also for addresses outside the site.
    """
    if not documentation.HOME.exists():
        text = gettext("The documentation is not built yet. Run make docs.")
        return Response(f"{text}\n", 404, content_type="text/plain; charset=utf-8")
    if _is_folder(name):
        return redirect(url_for(SHOW, name=f"{name}/"))  # type: ignore[return-value]
    file = f"{name}index.html" if not name or name.endswith("/") else name
    # A browser asks again at each visit, because a new build changes the files.
    response = send_from_directory(documentation.SITE, file, max_age=0)
    response.headers["Content-Security-Policy"] = POLICIES[GUIDE]
    if response.mimetype == "text/html":
        # Only a header can forbid that other sites show a page in a frame.
        policy = find_policy((documentation.SITE / file).read_text())
        response.headers["Content-Security-Policy"] = f"{policy}; frame-ancestors 'none'"
    return response


def _is_folder(name: str) -> bool:
    """Return whether a name without a slash at the end is that of a folder of the site."""
    path = safe_join(str(documentation.SITE), name)
    return bool(name) and not name.endswith("/") and path is not None and Path(path).is_dir()

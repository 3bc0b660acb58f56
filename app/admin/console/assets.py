"""Style sheets, scripts and icons, which `make console` builds from `clients/console`.

Each file name contains a digest of the contents, so browsers keep the file for a year.
"""

import gzip
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import cast

from flask import Blueprint, Flask, Response, request, url_for

from app.admin.console.cookies import ROOT
from app.admin.console.rendering import error_page
from app.errors import NotFound

FOLDER = Path(__file__).parent / "static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FOREVER = "public, max-age=31536000, immutable"

assets = Blueprint("assets", __name__, url_prefix=f"{ROOT}/assets")
assets.register_error_handler(Exception, error_page)


def init_app(app: Flask) -> None:
    """Register the route of the files, and `asset_url` for templates."""
    app.register_blueprint(assets)
    app.add_template_global(asset_url)


def asset_url(name: str) -> str:
    """Return the address of a file by its plain name, such as `console.css`."""
    return url_for("assets.static", name=_manifest()[name])


@assets.get("/<name>")
def static(name: str) -> Response:
    """Send a file. Raise NotFound unless the name is that of a file with its digest."""
    return _send(name, *_read(name))


def _send(name: str, content: bytes, compressed: bytes) -> Response:
    response = Response(content, content_type=TYPES[Path(name).suffix])
    if request.accept_encodings.find("gzip") >= 0:
        response.set_data(compressed)
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Cache-Control"] = FOREVER
    response.headers["Vary"] = "Accept-Encoding"
    response.set_etag(name)
    return cast(Response, response.make_conditional(request))


@cache
def _manifest() -> Mapping[str, str]:
    """Return the names with digest by plain name."""
    return dict(json.loads((FOLDER / "manifest.json").read_text()))


def _read(name: str) -> tuple[bytes, bytes]:
    if name not in _manifest().values():
        raise NotFound
    return _read_both(name)


@cache
def _read_both(name: str) -> tuple[bytes, bytes]:
    """Return the contents of a file, plain and compressed. The files never change."""
    content = (FOLDER / name).read_bytes()
    return content, gzip.compress(content, mtime=0)

"""Static files of the website, under addresses that change with their contents."""

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import cast

from flask import Response, request, url_for

from app.errors import NotFound

FOLDER = Path(__file__).parent / "static"
ICON = "icon.svg"
# Not those of the operating system, which may lack some.
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
PLAIN_TEXT = "text/plain; charset=utf-8"
FOREVER = "public, max-age=31536000, immutable"
ONE_DAY = "public, max-age=86400"


@cache
def _paths() -> dict[str, Path]:
    """Return the path of each static file by its name in an address."""
    found = sorted(path for path in FOLDER.rglob("*") if path.is_file())
    return {path.relative_to(FOLDER).as_posix(): path for path in found}


@cache
def version() -> str:
    """Return a digest of the names and contents of all static files."""
    digest = sha256()
    for name, path in _paths().items():
        digest.update(f"{name}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def url_of(name: str) -> str:
    """Return the address of a static file, below the path prefix of the request."""
    return url_for("website.send_file", version=version(), name=name)


def send_versioned(asked: str, name: str) -> Response:
    """Return a file, which browsers may keep if the version is that of this process.

    During an upgrade, a page of the other release may ask for another version.
    """
    return _send(name, FOREVER if asked == version() else "no-cache")


def send_current(name: str) -> Response:
    """Return a file for an address without a version."""
    return _send(name, ONE_DAY)


def _send(name: str, cache_control: str) -> Response:
    """Return a file, or 304 if the browser has it. Raise NotFound for any other name."""
    path = _paths().get(name)
    if path is None:
        raise NotFound
    kind = TYPES.get(path.suffix, PLAIN_TEXT)
    response = Response(path.read_bytes(), content_type=kind)
    response.headers["Cache-Control"] = cache_control
    response.set_etag(version())
    return cast(Response, response.make_conditional(request))

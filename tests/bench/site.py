"""A WSGI app that serves the service and the bare views in the same workers.

Run by `gunicorn -c config/gunicorn.conf.py tests.bench.site:app`. Paths that begin with /bare are
those of the bare views, and /wsgi is answered by a bare WSGI callable.
"""

from collections.abc import Callable, Iterable
from typing import Any

from app import logs
from tests.bench.load.bare import app as bare
from wsgi import app as service

# The settings are those of development, because production requires HTTPS for WeChat. Log lines
# have the format of production.
logs.configure(as_json=True)


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Pass a request to the service or to the bare views."""
    if environ["PATH_INFO"] == "/wsgi":
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
        return [b"ok"]
    if environ["PATH_INFO"].startswith("/bare"):
        return bare(environ, start_response)
    return service(environ, start_response)

"""The service, and beside it, in the same workers, what it is compared with.

`gunicorn -c config/gunicorn.conf.py tests.bench.site:app`. Which of the two answers is decided
before either has done anything, so that neither pays for the other.
"""

from collections.abc import Callable, Iterable
from typing import Any

from app import logs
from tests.bench.load.bare import app as bare
from wsgi import app as service

# The settings are development's, for production speaks https with WeChat alone. The log lines, of
# which there is one for each request, are production's.
logs.configure(as_json=True)


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Pass a request on."""
    if environ["PATH_INFO"].startswith("/bare"):
        return bare(environ, start_response)
    return service(environ, start_response)

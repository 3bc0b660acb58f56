"""Exit with 0 if the service of this container answers 200, else with 1.

    python healthcheck.py [path]

The path is /healthz by default. Uses the address of GUNICORN_BIND, and the standard library only.
"""

import http.client
import os
import socket
import sys

TIMEOUT = 4.0


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection through a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(self._path)


def connection_to(bind: str) -> http.client.HTTPConnection:
    """Return a connection to an address as gunicorn writes it: host:port, [host]:port or unix:path.

    An address of all interfaces is replaced by that of the loopback interface.
    """
    if bind.startswith("unix:"):
        return UnixConnection(bind.removeprefix("unix:").removeprefix("//"))
    host, _, port = bind.rpartition(":")
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host.strip("[]"))  # noqa: S104
    return http.client.HTTPConnection(host, int(port), timeout=TIMEOUT)


def status_of(path: str) -> int:
    """Return the status with which the service answers a GET request."""
    bind = os.environ.get("GUNICORN_BIND") or f"127.0.0.1:{os.environ.get('PORT') or 8000}"
    connection = connection_to(bind.partition(",")[0])
    connection.request("GET", os.environ.get("SCRIPT_NAME", "") + path)
    return connection.getresponse().status


if __name__ == "__main__":
    path = sys.argv[1] if len(sys.argv) > 1 else "/healthz"
    try:
        status = status_of(path)
    except OSError as error:
        sys.exit(f"{path}: {error}")
    if status != 200:
        sys.exit(f"{path}: {status}")

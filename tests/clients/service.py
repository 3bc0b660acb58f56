"""The service and the simulator for the tests of the client packages, in a temporary folder.

Run as `python -m tests.clients.service`. Prints one line of JSON with the addresses when everything
is ready, and runs until a signal or until its standard input is closed. The address `control`
accepts `POST /<action> {"token": ...}` and changes the session of that token as time or an
administrator would.
"""

import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import requests

from app.services.sessions.tokens import token_hash
from config.development import ROOT
from config.development.children import launch
from config.development.postgres import hold_server
from tests.fixtures.servers.ports import free_port
from tests.fixtures.waiting import until

STOP_SECONDS = 20
ITS = "(token_hash = %(token_hash)s OR previous_token_hash = %(token_hash)s)"
SESSION = f"UPDATE login_sessions SET {{}} WHERE {ITS}"
ACTIONS = {
    "expire": SESSION.format("expires_at = now() - interval '1 minute'"),
    "expire-refresh": SESSION.format("refresh_expires_at = now() - interval '1 minute'"),
    "revoke": SESSION.format("ended_at = now(), end_reason = 'ended_by_operator'"),
    # Moves the last refresh out of the time in which its response can be asked for again.
    "age-refresh": SESSION.format("refreshed_at = refreshed_at - interval '31 seconds'"),
    "disable": f"""
        UPDATE users SET status = 'disabled' FROM login_sessions
        WHERE login_sessions.user_id = users.id AND {ITS}
    """,
}
# Actions after which the service must refuse the token.
REFUSING = {"expire", "revoke", "disable"}


def handler_of(database_url: str, service: str) -> type[BaseHTTPRequestHandler]:
    """Return the request handler of the control server."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            action = self.path.strip("/")
            token = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["token"]
            with psycopg.connect(database_url, autocommit=True) as connection:
                done = connection.execute(ACTIONS[action], {"token_hash": token_hash(token)})
            if action in REFUSING:
                until(lambda: is_refused(service, token), seconds=10)
            self.send_response(204 if done.rowcount == 1 else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing: the standard output has the addresses only."""

    return Handler


def is_refused(service: str, token: str) -> bool:
    """Return whether the service refuses a token, so that it does not use a cached session."""
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{service}/v1/me/export", headers=headers, timeout=5).status_code != 200


def is_answered(url: str) -> bool:
    """Return whether a GET is answered with 200."""
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False


def run(stack: ExitStack, var: Path) -> dict[str, str]:
    """Start everything, and return the addresses. The stack stops it."""
    port, simulator_port = str(free_port()), str(free_port())
    addresses = {
        "service": f"http://127.0.0.1:{port}",
        "simulator": f"http://127.0.0.1:{simulator_port}",
    }
    database = stack.enter_context(hold_server(var))
    environ = dict(os.environ) | {"WXPASS_VAR": str(var), "DATABASE_URL": database.url}
    environ |= {"PORT": port, "SIMULATOR_PORT": simulator_port, "GUNICORN_WORKERS": "1"}
    environ |= {"GUNICORN_GRACEFUL_TIMEOUT": "1"}
    log = var / "log" / "run.log"
    child = launch("service", ["config.development.run"], environ, ROOT, log)
    stack.callback(child.stop, STOP_SECONDS)

    def is_ready() -> bool:
        child.check_running()
        return is_answered(f"{addresses['service']}/readyz")

    until(is_ready, seconds=120)
    handler = handler_of(database.url, addresses["service"])
    control = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    stack.callback(control.server_close)
    stack.callback(control.shutdown)
    threading.Thread(target=control.serve_forever, daemon=True).start()
    return addresses | {"control": f"http://127.0.0.1:{control.server_port}"}


def wait_for_the_end() -> None:
    """Return after SIGTERM or SIGINT, or when standard input is closed by the parent's end."""
    ended = threading.Event()
    end: Callable[..., None] = lambda *_: ended.set()  # noqa: E731
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    threading.Thread(target=lambda: end(sys.stdin.read()), daemon=True).start()
    ended.wait()


def main() -> None:
    """Run the service until the end of the tests."""
    with tempfile.TemporaryDirectory(prefix="wxpass-clients-") as folder, ExitStack() as stack:
        # PostgreSQL runs as another user, which must reach its folder.
        Path(folder).chmod(0o755)
        print(json.dumps(run(stack, Path(folder))), flush=True)
        wait_for_the_end()


if __name__ == "__main__":
    main()

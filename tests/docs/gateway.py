"""A server between the back ends and wxpass that counts requests and imitates outages."""

import threading
from http.server import BaseHTTPRequestHandler

import requests

from tests.fixtures.servers.http_servers import QuietServer
from tests.fixtures.servers.ports import free_port

USER = "01980000-0000-7000-8000-000000000000"
# Answers that must not admit a request: (status, headers).
BAD_ANSWERS = {
    "error": (500, {}),
    "unavailable": (503, {"X-User-Id": USER}),
    "wrong address": (404, {}),
    "misspelt": (422, {}),
    "no user": (204, {}),
    "empty user": (204, {"X-User-Id": ""}),
    "another status": (200, {"X-User-Id": USER}),
    "redirect": (302, {"Location": "/admit"}),
}


class Gateway:
    """Forwards requests to wxpass. `behave` changes that."""

    def __init__(self, target: str) -> None:
        self.target, self.port = target, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.behaviour = "forward"
        self.paths: list[str] = []
        self._released = threading.Event()
        self._start()

    def behave(self, behaviour: str) -> None:
        """Change the answers.

        `forward`, `hang`, `drop` (close the connection without an answer), `refuse` (accept no
        connections), `garbage` (no HTTP), or a key of BAD_ANSWERS.
        """
        if self.behaviour == "refuse":
            self._start()
        self.behaviour = behaviour
        self._released.set()
        self._released = threading.Event()
        if behaviour == "refuse":
            self.stop()

    def count(self, path: str) -> int:
        """Return the number of requests for a path so far."""
        return sum(1 for one in list(self.paths) if one.partition("?")[0] == path)

    def stop(self) -> None:
        """Close the port."""
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    def _start(self) -> None:
        self._server = QuietServer(("127.0.0.1", self.port), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                gateway.paths.append(self.path)
                gateway.answer(self)

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        return Handler

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a request as the present behaviour says."""
        if self.behaviour == "forward":
            headers = {name: value for name, value in request.headers.items() if name != "Host"}
            got = requests.get(f"{self.target}{request.path}", headers=headers, timeout=10)
            self._send(request, got.status_code, dict(got.headers), got.content)
        elif self.behaviour == "hang":
            self._released.wait(30)
        elif self.behaviour == "garbage":
            request.wfile.write(b"\x00\xff this is not HTTP \r\n\r\n")
        elif request.path == "/admit":
            self._send(request, 204, {"X-User-Id": USER})
        elif self.behaviour in BAD_ANSWERS:
            self._send(request, *BAD_ANSWERS[self.behaviour])

    def _send(
        self,
        request: BaseHTTPRequestHandler,
        status: int,
        headers: dict[str, str],
        body: bytes = b"",
    ) -> None:
        request.send_response_only(status)
        kept = {name.title(): value for name, value in headers.items()}
        for name in ("Connection", "Content-Length", "Transfer-Encoding", "Content-Encoding"):
            kept.pop(name, None)
        for name, value in kept.items():
            request.send_header(name, value)
        request.send_header("Connection", "close")
        if status != 204:
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

"""A fake WeChat server that sends prepared responses and records the requests."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography import x509

from app.wechat import WeChatClient
from tests.fixtures.servers.certificates import HERE, self_signed
from tests.fixtures.servers.http_servers import QuietServer
from tests.fixtures.servers.ports import free_port


@dataclass
class Received:
    method: str
    path: str
    query: dict[str, str]
    headers: Message
    body: bytes


@dataclass
class Answer:
    content: bytes = b"{}"
    status: int = 200
    # WeChat's /sns sends JSON as text/plain without a charset.
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "text/plain"})
    drops_connection: bool = False
    claims_bytes: int | None = None
    waits: float = 0.0


class FakeWeChat(QuietServer):
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[Received] = []
        self.connections = self.closed = 0
        self.released = threading.Event()
        self.answer_to: Callable[[Received], Answer] = lambda request: Answer()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answers(self, content: object, **rest: object) -> None:
        """Set the response to every request: bytes are sent unchanged, other values as JSON."""
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.answer_to = lambda request: Answer(raw, **rest)  # type: ignore[arg-type]

    def answers_each(self, content: Callable[[dict[str, str]], object]) -> None:
        """Set a function that computes the JSON response from the query of each request."""
        self.answer_to = lambda request: Answer(json.dumps(content(request.query)).encode())

    def get_request(self) -> tuple[socket.socket, object]:
        self.connections += 1
        return super().get_request()

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        super().shutdown_request(request)
        self.closed += 1


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body are sent in two writes. Nagle's algorithm would delay the second by 40 ms.
    disable_nagle_algorithm = True
    server: FakeWeChat

    def do_GET(self) -> None:
        request = self._read()
        self.server.received.append(request)
        answer = self.server.answer_to(request)
        self.server.released.wait(answer.waits)
        # A client may disconnect before the response.
        with suppress(ConnectionError):
            self._send(answer)

    do_POST = do_GET

    def _read(self) -> Received:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return Received(self.command, parts.path, query, self.headers, body)

    def _send(self, answer: Answer) -> None:
        if answer.drops_connection:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(answer.claims_bytes or len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)
        self.close_connection = answer.claims_bytes is not None

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def wechat() -> Iterator[FakeWeChat]:
    server = FakeWeChat()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(wechat: FakeWeChat) -> Iterator[WeChatClient]:
    client = WeChatClient(wechat.url)
    yield client
    client.close()


@pytest.fixture
def refused_url() -> str:
    """Return the URL of a port on which no server listens."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def serve_tls(wechat: FakeWeChat, tmp_path: Path) -> Callable[..., str]:
    """Return a function that makes the server use TLS with a self-signed certificate."""

    def serve(name: x509.GeneralName = HERE) -> str:
        path = tmp_path / "wechat.pem"
        path.write_bytes(self_signed(name))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        wechat.socket = context.wrap_socket(wechat.socket, server_side=True)
        wechat.answers({"openid": "oAlice", "session_key": "tiihtNczf5v6AKRyjwEUhQ=="})
        return str(path)

    return serve

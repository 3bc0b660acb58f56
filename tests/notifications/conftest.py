"""A receiver with TLS on loopback, and a client that connects to it instead of the Internet."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import Message as Headers
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.notifications.https import HttpsClient
from tests.fixtures.servers.http_servers import QuietServer

NAMES = ("qyapi.weixin.qq.com", "oapi.dingtalk.com", "hooks.example.com", "localhost")
PUBLIC = "93.184.215.14"


@dataclass
class Received:
    """A request."""

    path: str
    headers: Headers
    body: bytes


class Receiver(QuietServer):
    """An HTTPS server that records requests. `raw` replaces the whole response."""

    def __init__(self, pem: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )
        self.received: list[Received] = []
        self.content = b'{"errcode":0,"errmsg":"ok"}'
        self.status = 200
        self.headers: dict[str, str] = {}
        self.raw: Callable[[Callable[[bytes], object]], None] | None = None

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: clients refuse certificates and responses."""


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(Received(self.path, self.headers, body))
        if self.server.raw is not None:
            self.server.raw(self.wfile.write)
            return
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@dataclass
class Network:
    """The resolver and the sockets of a client. All addresses lead to the receiver."""

    port: int
    answers: list[list[str]] = field(default_factory=lambda: [[PUBLIC]])
    resolved: list[str] = field(default_factory=list)
    dialled: list[tuple[str, int]] = field(default_factory=list)

    def resolve(self, host: str, port: int) -> list[str]:
        """Return the next answer, and the last one from then on."""
        self.resolved.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def dial(self, address: tuple[str, int], seconds: float) -> socket.socket:
        """Connect to the receiver."""
        self.dialled.append(address)
        return socket.create_connection(("127.0.0.1", self.port), seconds)


@pytest.fixture(scope="session")
def pem(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file with a key and its certificate for NAMES."""
    path: Path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(self_signed(*NAMES))
    return str(path)


@pytest.fixture
def receiver(pem: str) -> Iterator[Receiver]:
    """A receiver on loopback."""
    server = Receiver(pem)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def network(receiver: Receiver) -> Network:
    """The network of the client."""
    return Network(receiver.server_port)


@pytest.fixture
def client(network: Network, pem: str) -> HttpsClient:
    """A client that trusts the receiver."""
    return HttpsClient(network.resolve, network.dial, pem)


def self_signed(*names: str) -> bytes:
    """Return a new key and its self-signed certificate in PEM format."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.now(UTC)
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(alternatives, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)

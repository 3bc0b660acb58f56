"""A simulator with the demo phone, in front of a service that repeats what it receives."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.simulator import create_simulator
from config.development.demo import PEOPLE, TENANTS
from tests.fixtures.servers.http_servers import QuietServer

SHOP = TENANTS[0].apps[0]
OWN = {"Origin": "http://localhost"}


@dataclass
class Received:
    """A request that reached the service."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class DemoSite:
    """A client of the demo, and what reached the service behind it."""

    http: FlaskClient
    log: Path
    received: list[Received] = field(default_factory=list)
    answer: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    line: str = ""

    def post(self, path: str, **body: Any) -> Any:
        """Post to the API of the demo as its page does, and return the answer."""
        response = self.http.post(f"/demo/api/{path}", json=body, headers=OWN)
        assert response.status_code == 200, response.text
        return response.get_json()

    def traffic(self) -> list[dict[str, Any]]:
        """Return all recorded exchanges."""
        return list(self.http.get("/demo/api/traffic").get_json()["exchanges"])

    def handle(self, received: Received) -> tuple[int, bytes]:
        """Record a request, write a line to the log, and return the answer."""
        self.received.append(received)
        request_id = received.headers["X-Request-Id"]
        self.log.write_text(self.line.replace("ID", request_id))
        return self.status, json.dumps(self.answer).encode()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[DemoSite]:
    """A demo with the people and apps of `make run`."""
    site: DemoSite

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            received = Received(self.command, self.path, dict(self.headers.items()), body)
            status, answer = site.handle(received)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Location", "http://evil.example/")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_DELETE = do_GET

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = QuietServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url, log = f"http://127.0.0.1:{server.server_port}", tmp_path / "service.log"
    site = DemoSite(create_simulator({}, demo_service=url, service_log=str(log)).test_client(), log)
    for tenant in TENANTS:
        for app in tenant.apps:
            body = {"appid": app.appid, "secret": app.secret, "open_platform": app.open_platform}
            assert site.http.post("/_simulator/apps", json=body).status_code == 200
    for person in PEOPLE:
        body = {"name": person.name, "phone": person.phone}
        assert site.http.post("/_simulator/people", json=body).status_code == 200
    yield site
    server.shutdown()
    server.server_close()

"""The process that serves `/metrics`: requests, slow clients, and its end."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import requests

from config.metrics import exporter
from tests.fixtures.servers.ports import free_port
from tests.fixtures.waiting import until

GET = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
WRITE = """
import sys, time
import prometheus_client as p
registry = p.CollectorRegistry()
p.Counter("wxpass_test", "A counter.", ["app"], registry=registry).labels("wx1").inc(3)
print("written", flush=True)
sys.stdin.read()
"""


class Running:
    """A running exporter."""

    def __init__(self, folder: Path, port: int, log: Path) -> None:
        self.port, self.log = port, log
        command = [sys.executable, "-m", "config.metrics.exporter", "--host", "127.0.0.1"]
        command += ["--port", str(port), "--folder", str(folder), "--parent", str(os.getpid())]
        with open(log, "wb") as file:
            self.process = subprocess.Popen(command, stderr=file)

    def connect(self) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def answer_to(self, request: bytes) -> bytes:
        """Return the response to a request, until the exporter closes the connection."""
        with self.connect() as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def is_ready(self) -> bool:
        """Return whether the exporter answers."""
        try:
            return b" 200 OK" in self.answer_to(GET)
        except OSError:
            return False


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("metrics")
    environ = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITE], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert writer.stdout
    assert writer.stdin
    assert writer.stdout.readline() == b"written\n"
    served = Running(folder, free_port(), tmp_path_factory.mktemp("log") / "exporter.log")
    until(served.is_ready)
    yield served
    served.process.kill()
    served.process.wait()
    writer.communicate()


def test_metrics_are_text_of_prometheus(running: Running) -> None:
    answer = requests.get(f"http://127.0.0.1:{running.port}/metrics?name=x", timeout=10)
    assert answer.headers["Content-Type"] == exporter.CONTENT_TYPE
    assert answer.headers["Cache-Control"] == "no-store"
    assert 'wxpass_test_total{app="wx1"} 3.0' in answer.text
    assert "Server" not in answer.headers


@pytest.mark.parametrize(
    "request_line",
    [
        *("GET / HTTP/1.1", "POST /metrics HTTP/1.1", "HEAD /metrics HTTP/1.1"),
        *("GET /metrics/ HTTP/1.1", "GET /metricsx HTTP/1.1", "GET //metrics HTTP/1.1"),
        *("GET /../metrics HTTP/1.1", "GET http://x/metrics HTTP/1.1", "GET /metrics"),
        *("", "\x00\xff", "GET /metrics HTTP/2.0", "PRI * HTTP/2.0"),
    ],
)
def test_other_requests_get_404(running: Running, request_line: str) -> None:
    answer = running.answer_to(request_line.encode("latin-1") + b"\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert b"wxpass" not in answer


def test_head_of_more_than_eight_kilobytes_ends_the_connection(running: Running) -> None:
    head = b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 100_000
    with suppress(ConnectionError):  # closed before all was sent
        assert running.answer_to(head) == b""
    assert running.is_ready()


def test_slow_clients_do_not_exclude_prometheus(running: Running) -> None:
    """200 connections send nothing, and 200 do not read their response."""
    with ExitStack() as held:
        for number in range(400):
            connection = held.enter_context(running.connect())
            if number % 2:
                connection.sendall(GET)
            if number % 50 == 0:
                began = time.monotonic()
                assert running.is_ready()
                assert time.monotonic() - began < 2
        assert running.is_ready()
        files = Path(f"/proc/{running.process.pid}/fd")
        until(lambda: len(list(files.iterdir())) < exporter.MOST_CONNECTIONS + 30)


def test_request_must_arrive_within_its_deadline(running: Running) -> None:
    """Single bytes do not extend the deadline."""
    began = time.monotonic()
    with running.connect() as connection:
        connection.settimeout(0.2)
        for _ in range(100):
            try:
                connection.sendall(b"G")
                if connection.recv(100) == b"":
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
    seconds = time.monotonic() - began
    assert exporter.REQUEST_SECONDS - 1 < seconds < exporter.REQUEST_SECONDS + 5


def test_used_port_is_tried_again_with_one_warning(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        running = Running(tmp_path, other.getsockname()[1], tmp_path / "exporter.log")
        until(lambda: "metrics_port_unavailable" in running.log.read_text())
        time.sleep(3 * exporter.RETRY_SECONDS)
    until(running.is_ready)
    running.process.kill()
    running.process.wait()
    lines = re.findall("event=metrics_port_unavailable.*", running.log.read_text())
    assert len(lines) == 1
    assert "error=Address already in use" in lines[0]


def test_exporter_ends_with_its_parent(tmp_path: Path) -> None:
    """Also if the parent is killed and cannot end it."""
    command = [sys.executable, "-m", "config.metrics.exporter", "--host", "127.0.0.1"]
    command += ["--port", str(free_port()), "--folder", str(tmp_path), "--parent", "$$"]
    parent = subprocess.Popen(
        ["sh", "-c", f"{' '.join(command)} & echo $!; read line"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert parent.stdout
    pid = int(parent.stdout.readline())
    assert Path(f"/proc/{pid}").exists()
    parent.kill()
    parent.communicate()
    until(lambda: not Path(f"/proc/{pid}").exists())

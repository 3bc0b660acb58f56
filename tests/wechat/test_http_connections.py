"""Connections to WeChat: reuse, proxies and trusted authorities."""

import socket
import socketserver
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from app.wechat import WeChatClient, WeChatUnavailable, http_connections
from app.wechat.http_connections import ConnectionPool, NotConnected
from tests.fixtures.servers.ports import free_port
from tests.fixtures.waiting import until

SECRET, CODE = "a5ec12e7", "071GaTvK0UyoL92m"
SESSION = {"openid": "oAlice", "session_key": "tiihtNczf5v6AKRyjwEUhQ=="}


class Proxy(socketserver.ThreadingTCPServer):
    """An HTTP proxy that allows CONNECT."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.heads: list[str] = []
        self.tunnelled = b""
        self.answer = b"HTTP/1.1 200 Connection established\r\n\r\n"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Tunnel(socketserver.BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.request.recv(1)
        self.server.heads.append(head.decode())
        host, port = head.split()[1].decode().split(":")
        self.request.sendall(self.server.answer)
        if not self.server.answer.startswith(b"HTTP/1.1 200 Connection"):
            return
        with socket.create_connection((host, int(port)), 5) as target:
            back = threading.Thread(target=self._copy, args=(target, self.request), daemon=True)
            back.start()
            self._copy(self.request, target)
            back.join(5)

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(4096):
                self.server.tunnelled += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def log_in(url: str, **settings: str) -> str:
    client = WeChatClient(url, **settings)
    try:
        return client.code_to_session("wxacme", SECRET, CODE).openid
    finally:
        client.close()


def test_calls_pass_through_the_proxy(wechat: Any, proxy: Proxy) -> None:
    wechat.answers(SESSION)
    assert log_in(wechat.url, proxy_url=f"http://{proxy.address}") == "oAlice"
    target = wechat.url.removeprefix("http://")
    assert proxy.heads == [f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n"]
    assert wechat.received[0].headers["Host"] == target


def test_the_certificate_behind_the_proxy_is_verified(
    wechat: Any, proxy: Proxy, serve_tls: Any
) -> None:
    """The proxy sees neither the AppSecret nor the code."""
    pem = serve_tls()
    url, proxy_url = wechat.url.replace("http:", "https:"), f"http://{proxy.address}"
    with pytest.raises(WeChatUnavailable, match="SSLCertVerificationError"):
        log_in(url, proxy_url=proxy_url)
    assert log_in(url, proxy_url=proxy_url, ca_file=pem) == "oAlice"
    assert proxy.tunnelled
    for secret in (SECRET, CODE, SESSION["session_key"]):
        assert secret.encode() not in proxy.tunnelled


def test_the_proxy_receives_user_name_and_password(wechat: Any, proxy: Proxy) -> None:
    wechat.answers(SESSION)
    log_in(wechat.url, proxy_url=f"http://wx%40pass:p%3Aw@{proxy.address}")
    (line,) = (line for line in proxy.heads[0].splitlines() if "Basic" in line)
    assert b64decode(line.removeprefix("Proxy-Authorization: Basic ")) == b"wx@pass:p:w"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "the proxy answered 407"),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", "the proxy answered 403"),
        (b"nonsense\r\n\r\n", "the proxy sent no HTTP response"),
        (b"HTTP/1.1 407", "the proxy closed the connection"),
        (b"x" * 20_000, "a response that is too long"),
        (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK", "the proxy sent data after its response"),
    ],
)
def test_a_refusal_of_the_proxy_reports_that_the_code_is_not_used_up(
    wechat: Any, proxy: Proxy, answer: bytes, reason: str
) -> None:
    proxy.answer = answer
    with pytest.raises(WeChatUnavailable, match=reason) as caught:
        log_in(wechat.url, proxy_url=f"http://me:pw-of-proxy@{proxy.address}")
    assert not caught.value.maybe_consumed
    assert "pw-of-proxy" not in str(caught.value)
    assert (len(proxy.heads), wechat.received) == (2, [])


def test_an_unreachable_proxy_is_not_bypassed(wechat: Any) -> None:
    with pytest.raises(WeChatUnavailable, match="ConnectionRefusedError") as caught:
        log_in(wechat.url, proxy_url=f"http://127.0.0.1:{free_port()}")
    assert not caught.value.maybe_consumed
    assert wechat.connections == 0


def test_the_ca_file_replaces_the_authorities_of_certifi(wechat: Any, serve_tls: Any) -> None:
    pem = serve_tls()
    url = wechat.url.replace("http:", "https:")
    assert log_in(url, ca_file=pem) == "oAlice"
    assert not ConnectionPool(url, ca_file=pem)._tls.cert_store_stats()["x509_ca"] > 1


def test_a_connection_with_unexpected_data_is_not_reused() -> None:
    """The data would be taken for the response to the next login."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        pool = ConnectionPool(f"http://127.0.0.1:{server.getsockname()[1]}")
        first = pool.take()
        with server.accept()[0] as peer:
            pool.give_back(first)
            assert pool.take() is first
            pool.give_back(first)
            peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            until(lambda: not http_connections._is_reusable(first))
            second = pool.take()
            assert second is not first
            second.close()
        pool.close()


def test_at_most_five_hundred_idle_connections_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert http_connections.MOST_IDLE == 500
    monkeypatch.setattr(http_connections, "MOST_IDLE", 2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        pool = ConnectionPool(f"http://127.0.0.1:{server.getsockname()[1]}")
        taken = [pool.take() for _ in range(3)]
        for connection in taken:
            pool.give_back(connection)
        assert [connection.fileno() >= 0 for connection in taken] == [True, True, False]
        pool.close()
        assert all(connection.fileno() == -1 for connection in taken)


def test_a_tls_handshake_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connections, "CONNECT_TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        pool = ConnectionPool(f"https://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(NotConnected, match="TimeoutError"):
            pool.take()

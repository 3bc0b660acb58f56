"""Connections to WeChat that stay open between calls.

The greenlets of a worker share a pool, and so do the threads of a process without gevent: the
sockets of the standard library block only the caller.
"""

import socket
import ssl
from base64 import b64encode
from collections import deque
from contextlib import suppress
from select import POLLIN
from urllib.parse import SplitResult, unquote, urlsplit

import certifi
from gevent.monkey import get_original

# The original `select.poll`: gevent's would switch to another greenlet.
poll = get_original("select", "poll")

CONNECT_TIMEOUT = 3.0  # seconds for each of TCP, tunnel and TLS
READ_TIMEOUT = 5.0  # seconds between two bytes of the response
MOST_IDLE = 500  # number of idle connections kept; more are opened when all are in use
MOST_TUNNEL_BYTES = 16 * 1024

_PORTS = {"http": 80, "https": 443}


class NotConnected(Exception):
    """No connection was established, so no request was sent. The message is safe to log."""


class ConnectionPool:
    """Connections to one host: plain or TLS, directly or through an HTTP proxy.

    `proxy_url` is http://[user:password@]host:port; the proxy must allow CONNECT. TLS trusts only
    the authorities in `ca_file`, by default those of certifi. Proxies and authorities in the
    environment are ignored.
    """

    def __init__(
        self, base_url: str, proxy_url: str | None = None, ca_file: str | None = None
    ) -> None:
        parts = urlsplit(base_url)
        self._host = parts.hostname or ""
        self._port = parts.port or _PORTS[parts.scheme]
        self._proxy = urlsplit(proxy_url) if proxy_url else None
        self._tls: ssl.SSLContext | None = None
        if parts.scheme == "https":
            # Reading the authorities is slow, so one context serves all connections.
            self._tls = ssl.create_default_context(cafile=ca_file or certifi.where())
            # SSLKEYLOGFILE would write the keys of the connections to a file.
            self._tls.keylog_filename = None  # type: ignore[assignment]
        self._idle: deque[socket.socket] = deque()

    def __repr__(self) -> str:
        scheme = "https" if self._tls else "http"
        return f"ConnectionPool({scheme}://{self._host}:{self._port})"

    def take(self) -> socket.socket:
        """Return an idle or a new connection for one request. Raises NotConnected."""
        connection = self._take_idle() or self._connect()
        connection.settimeout(READ_TIMEOUT)
        return connection

    def give_back(self, connection: socket.socket) -> None:
        """Keep a connection whose response was read completely."""
        if len(self._idle) < MOST_IDLE:
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    def _take_idle(self) -> socket.socket | None:
        with suppress(IndexError):
            while True:
                connection = self._idle.pop()
                if _is_reusable(connection):
                    return connection
                connection.close()
        return None

    def _connect(self) -> socket.socket:
        proxy = self._proxy
        address = (proxy.hostname, proxy.port) if proxy else (self._host, self._port)
        connection = None
        try:
            connection = socket.create_connection(address, CONNECT_TIMEOUT)
            # Otherwise Nagle's algorithm may delay a request that follows another one.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if proxy:
                _open_tunnel(connection, proxy, self._host, self._port)
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_hostname=self._host)
        except BaseException as error:  # also if the greenlet is killed
            if connection is not None:
                connection.close()
            if isinstance(error, (OSError, ValueError)):  # ValueError: an impossible host name
                raise NotConnected(type(error).__name__) from None
            raise
        return connection


def _is_reusable(connection: socket.socket) -> bool:
    """Return whether an idle connection is open and has nothing to read.

    WeChat may have closed it, and unexpected data would be taken for the next response. With TLS,
    such data may already have been decrypted.
    """
    with suppress(OSError, ValueError):
        if isinstance(connection, ssl.SSLSocket) and connection.pending():
            return False
        poller = poll()
        poller.register(connection.fileno(), POLLIN)
        return not poller.poll(0)
    return False


def _open_tunnel(connection: socket.socket, proxy: SplitResult, host: str, port: int) -> None:
    """Make the proxy connect to a host. Raises NotConnected if it refuses."""
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    head = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"
    if proxy.username is not None:
        credentials = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        head += f"Proxy-Authorization: Basic {b64encode(credentials.encode()).decode()}\r\n"
    connection.sendall(f"{head}\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        received = connection.recv(4096)
        answer += received
        if not received:
            raise NotConnected("the proxy closed the connection")
        if len(answer) > MOST_TUNNEL_BYTES:
            raise NotConnected("the proxy sent a response that is too long")
    status = answer[:12].partition(b" ")[2]
    if not status.isdigit():
        raise NotConnected("the proxy sent no HTTP response")
    if status != b"200":
        raise NotConnected(f"the proxy answered {status.decode()}")
    # Data after the head was sent by the proxy: in HTTP and TLS the client sends first.
    if not answer.endswith(b"\r\n\r\n"):
        raise NotConnected("the proxy sent data after its response")

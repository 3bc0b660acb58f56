"""The gunicorn worker: gevent, with deadlines for slow clients.

A client has 10 seconds to send the head of a request, and 10 seconds plus one per 64 KiB to send
its body. Without deadlines, a few hundred slow clients can occupy all connections of a worker.
"""

import time
from contextlib import AbstractContextManager, nullcontext
from socket import socket
from typing import Any, cast

from gevent.server import StreamServer
from gunicorn.http.errors import NoMoreData
from gunicorn.workers.ggevent import GeventWorker

HEAD_SECONDS = 10.0
BODY_SECONDS = 10.0
BYTES_PER_SECOND = 64 * 1024


class DeadlineSocket:
    """A connected socket that limits how long a client takes to send a request."""

    def __init__(self, connection: socket, keepalive: float) -> None:
        self._connection = connection
        self._keepalive = keepalive
        self._deadline = time.monotonic() + HEAD_SECONDS
        self._is_idle = False
        self._bytes_per_second = 0
        self._has_expired = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def begin_body(self) -> None:
        """Start the deadline of a body."""
        self._deadline = time.monotonic() + BODY_SECONDS
        self._bytes_per_second = BYTES_PER_SECOND

    def begin_idle(self) -> None:
        """Start the deadline for the next request, which must begin within the keep-alive time."""
        self._deadline = time.monotonic() + self._keepalive
        self._is_idle = True
        self._bytes_per_second = 0

    def recv(self, size: int) -> bytes:
        """Receive data before the deadline.

        At the deadline of a body, raises TimeoutError once, and NoMoreData on later calls. At the
        deadline of a head, or between requests, raises NoMoreData. gunicorn then closes the
        connection without a message.
        """
        try:
            self._connection.settimeout(max(self._deadline - time.monotonic(), 0.001))
            data = self._connection.recv(size)
        except TimeoutError:
            if not self._bytes_per_second or self._has_expired:
                raise NoMoreData from None
            self._has_expired = True
            raise
        finally:
            self._connection.settimeout(None)
        self._note(len(data))
        return data

    def _note(self, received: int) -> None:
        if self._is_idle:
            self._is_idle = False
            self._deadline = time.monotonic() + HEAD_SECONDS
        elif self._bytes_per_second:
            self._deadline += received / self._bytes_per_second


# With gevent's default of 100, a burst of new connections delays established ones.
StreamServer.max_accept = 4


class Worker(GeventWorker):  # type: ignore[misc]
    """Serve each connection in a greenlet, with deadlines."""

    def timeout_ctx(self) -> AbstractContextManager[None]:
        """Return an empty context: `DeadlineSocket` sets a deadline for each phase of a request."""
        return nullcontext()

    def handle(self, listener: Any, client: socket, addr: Any) -> None:
        """Serve the requests of a connection."""
        keepalive = float(self.cfg.keepalive)
        super().handle(listener, cast(socket, DeadlineSocket(client, keepalive)), addr)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Serve a request whose head has been read."""
        sock.begin_body()
        super().handle_request(listener_name, req, sock, addr)
        sock.begin_idle()

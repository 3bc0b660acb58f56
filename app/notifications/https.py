"""HTTPS requests to URLs that operators enter.

No redirects, proxies, cookies or settings of the environment. Errors never contain the URL, which
may hold a key.
"""

import http.client
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

import certifi

from app.notifications.addresses import HttpsUrl, Resolver, public_addresses, resolve
from app.notifications.failures import NotDelivered, Reason
from app.notifications.tls import TOTAL_SECONDS, AnswerTooLong, Deadline, Dial, TlsStream, connect

REDIRECTS = range(300, 400)


@dataclass(frozen=True, slots=True)
class Answer:
    """The response to a request. The status is below 300."""

    status: int
    content: bytes


class HttpsClient:
    """Sends one request per connection. Threads may use it concurrently.

    The parameters are for tests. The service uses the resolver and the sockets of the system, and
    the authorities of certifi. The check of the addresses cannot be replaced.
    """

    def __init__(
        self,
        resolver: Resolver = resolve,
        dial: Dial = socket.create_connection,
        ca_file: str | None = None,
    ) -> None:
        self._resolver = resolver
        self._dial = dial
        self._ca_file = ca_file
        self._context: ssl.SSLContext | None = None

    def post(self, url: HttpsUrl, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send JSON and return the response. Raise NotDelivered, also for statuses from 300."""
        deadline = Deadline(TOTAL_SECONDS)
        addresses = public_addresses(self._resolver, url.host, url.port)
        with connect(self._dial, addresses, url.port, deadline) as connection:
            stream = TlsStream(connection, self._tls(), url.host, deadline)
            stream.handshake()
            answer = _exchange(stream, _encoded(url, body, headers))
        _refuse_status(answer.status)
        return answer

    def _tls(self) -> ssl.SSLContext:
        # Reading the authorities is slow, so one context serves all connections.
        if self._context is None:
            context = ssl.create_default_context(cafile=self._ca_file or certifi.where())
            # SSLKEYLOGFILE would write the keys of the connections to a file.
            context.keylog_filename = None  # type: ignore[assignment]
            self._context = context
        return self._context


def _encoded(url: HttpsUrl, body: bytes, headers: Mapping[str, str]) -> bytes:
    host = url.host if url.port == 443 else f"{url.host}:{url.port}"
    lines = {
        "Host": host,
        "User-Agent": "wxpass",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {url.target} HTTP/1.1\r\n{head}\r\n".encode("ascii") + body


def _exchange(stream: TlsStream, request: bytes) -> Answer:
    """Send a request and read the response. The receiver may have accepted it after an error."""
    try:
        stream.send(request)
        response = http.client.HTTPResponse(cast(Any, stream), method="POST")
        response.begin()
        return Answer(response.status, response.read())
    except (AnswerTooLong, ssl.SSLError, http.client.HTTPException, ValueError):
        raise NotDelivered(Reason.ANSWER_INVALID) from None
    except OSError:
        raise NotDelivered(Reason.NO_ANSWER) from None


def _refuse_status(status: int) -> None:
    if status in REDIRECTS:
        raise NotDelivered(Reason.REDIRECTED, status)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise NotDelivered(Reason.RATE_LIMITED, status)
    if status >= HTTPStatus.BAD_REQUEST:
        passes = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        raise NotDelivered(Reason.STATUS, status, may_retry=passes)

"""HTTP transport to WeChat. Errors and logs never contain the request."""

from collections.abc import Callable
from http import HTTPStatus
from socket import socket
from urllib.parse import urlsplit

from app.wechat.errors import WeChatUnavailable
from app.wechat.http_connections import ConnectionPool, NotConnected
from app.wechat.http_responses import BrokenResponse, HttpResponse, read_response
from app.wechat.json_fields import JsonObject, WrongShape, parse_object

MOST_ANSWER_BYTES = 64 * 1024  # WeChat's longest response to these calls is below 2 KiB

# Returns further header lines of a request, each with its line end.
MoreHeaders = Callable[[], str]


class Transport:
    """HTTP client of one host. Greenlets and threads may use it concurrently.

    `proxy_url` and `ca_file` are those of ConnectionPool. `more_headers` is called for each
    request.
    """

    def __init__(
        self,
        base_url: str,
        proxy_url: str | None = None,
        ca_file: str | None = None,
        more_headers: MoreHeaders | None = None,
    ) -> None:
        self._more_headers = more_headers
        parts = urlsplit(base_url.rstrip("/"))
        self._base_path = parts.path
        self._pool = ConnectionPool(base_url, proxy_url, ca_file)
        # Cookies and redirects are ignored.
        self._headers = (
            f" HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: wxpass\r\n"
            "Accept-Encoding: identity\r\nAccept: */*\r\nConnection: keep-alive\r\n"
        )

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    def exchange(self, method: str, target: str, body: bytes | None = None) -> JsonObject:
        """Send a request and return the JSON object of the response. Raise WeChatUnavailable.

        `target` is the path with the query. A connection is attempted twice. The request is sent
        once, because codes are single-use and WeChat may have received it.
        """
        response = self._fetch(self._encode(method, target, body))
        # Refusals have status 200 too (全局返回码). Other statuses do not come from the API itself.
        if response.status != HTTPStatus.OK:
            raise WeChatUnavailable(reason=f"HTTP {response.status}", maybe_consumed=True)
        return _read_object(response.content)

    def _encode(self, method: str, target: str, body: bytes | None) -> bytes:
        head = f"{method} {self._base_path}{target}{self._headers}"
        if self._more_headers is not None:
            head += self._more_headers()
        if body is None:
            return f"{head}\r\n".encode("ascii")
        # A length, not a stream: WeChat rejects chunked requests with an empty 412.
        about = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return f"{head}{about}".encode("ascii") + body

    def _fetch(self, request: bytes) -> HttpResponse:
        connection = self._take_connection()
        can_reuse = False
        try:
            connection.sendall(request)
            response = read_response(connection, MOST_ANSWER_BYTES)
            can_reuse = response.can_reuse
        except BrokenResponse as error:
            raise WeChatUnavailable(reason=str(error)) from None
        except OSError as error:
            # The message may contain an address, so only the class is kept.
            raise WeChatUnavailable(reason=type(error).__name__, answered=False) from None
        finally:
            if can_reuse:
                self._pool.give_back(connection)
            else:
                connection.close()
        return response

    def _take_connection(self) -> socket:
        try:
            return self._pool.take()
        except NotConnected:
            pass
        try:
            return self._pool.take()
        except NotConnected as error:
            raise WeChatUnavailable(
                reason=str(error), maybe_consumed=False, answered=False
            ) from None


def _read_object(content: bytes) -> JsonObject:
    # The Content-Type is ignored: WeChat sends JSON as text/plain without a charset.
    try:
        return parse_object(content)
    except WrongShape:
        raise WeChatUnavailable(reason="answer is no JSON object", maybe_consumed=True) from None

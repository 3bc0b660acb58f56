"""HTTP transport to WeChat. Errors and logs never contain the request."""

import logging
import ssl
from http import HTTPStatus

import certifi
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, Retry, Timeout, connection_from_url
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError
from urllib3.util import create_urllib3_context, parse_url

from app.wechat.errors import WeChatUnavailable
from app.wechat.json_fields import JsonObject, WrongShape, parse_object

CONNECT_TIMEOUT = 3.0  # seconds
READ_TIMEOUT = 5.0  # seconds between two bytes of the answer
MOST_ANSWER_BYTES = 64 * 1024  # WeChat's longest answer here is below 2 KiB
POOL_SIZE = 500  # idle connections kept; more are opened when all are in use

_HEADERS = {
    "User-Agent": "wxpass",
    "Accept-Encoding": "identity",
    "Accept": "*/*",
    "Connection": "keep-alive",
}
_HEADERS_OF_BODIES = _HEADERS | {"Content-Type": "application/json"}


class Transport:
    """HTTP to one host, shared by concurrent greenlets."""

    def __init__(self, base_url: str) -> None:
        self._base_path = parse_url(base_url.rstrip("/")).path or ""
        self._pool = _make_pool(base_url)

    def close(self) -> None:
        """Close the idle connections. The client cannot be used afterwards."""
        self._pool.close()

    def exchange(self, method: str, target: str, body: bytes | None = None) -> JsonObject:
        """Send a request and return the JSON object of its answer; raises WeChatUnavailable.

        `target` is the path with its query. Repeats the request once if no connection could be
        made, and never after it may have arrived: the codes in it work once.
        """
        try:
            content = self._fetch(method, target, body)
        except WeChatUnavailable as failure:
            if failure.maybe_consumed:
                raise
            content = self._fetch(method, target, body)
        return _read_object(content)

    def _fetch(self, method: str, target: str, body: bytes | None) -> bytes:
        try:
            response = self._request(method, target, body)
            try:
                return _read_content(response)
            finally:
                # Read to its end, the answer has given its connection back. Else the connection is
                # closed, for the rest would be taken for the next answer.
                response.close()
                response.release_conn()
        except HTTPError as error:
            # The text of these errors holds the URL with its secret: nothing of it may pass.
            raise WeChatUnavailable(
                reason=type(error).__name__,
                # A failed TLS handshake is counted: its error also fits a broken answer.
                maybe_consumed=not isinstance(error, (ConnectTimeoutError, NewConnectionError)),
                answered=False,
            ) from None

    def _request(self, method: str, target: str, body: bytes | None) -> BaseHTTPResponse:
        # The body is bytes, never a stream: WeChat answers a chunked request with an empty 412.
        return self._pool.urlopen(
            method,
            self._base_path + target,
            body,
            _HEADERS_OF_BODIES if body else _HEADERS,
            redirect=False,
            assert_same_host=False,  # a target is a path, so there is no host to compare
            timeout=Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT),
            preload_content=False,
        )


def _make_pool(base_url: str) -> HTTPConnectionPool:
    # urllib3 asks the environment for no proxy, keeps no cookie, and decodes what comes encoded.
    https = parse_url(base_url).scheme == "https"
    return connection_from_url(
        base_url,
        maxsize=POOL_SIZE,
        block=False,
        retries=Retry(False, redirect=False),  # made once; False alone makes one for each call
        **({"ssl_context": _trust(), "cert_reqs": ssl.CERT_REQUIRED} if https else {}),
    )


def _trust() -> ssl.SSLContext:
    """Trust certifi's authorities and no others; read once, for it takes longer than a login."""
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)  # checks the host's name too
    context.load_verify_locations(certifi.where())
    return context


def _read_content(response: BaseHTTPResponse) -> bytes:
    # Refusals come as 200 too (全局返回码); anything else is not from the API itself.
    if response.status != HTTPStatus.OK:
        raise WeChatUnavailable(reason=f"HTTP {response.status}", maybe_consumed=True)
    content = response.read(MOST_ANSWER_BYTES + 1)
    if len(content) > MOST_ANSWER_BYTES:
        raise WeChatUnavailable(reason="answer too long", maybe_consumed=True)
    return content


def _read_object(content: bytes) -> JsonObject:
    # The content type is not asked: WeChat labels JSON text/plain, and names no charset.
    try:
        return parse_object(content)
    except WrongShape:
        raise WeChatUnavailable(reason="answer is no JSON object", maybe_consumed=True) from None


def _holds_no_url(record: logging.LogRecord) -> bool:
    return "?" not in record.getMessage()


# urllib3 logs URLs, and here their query holds an AppSecret or an access token.
for _name in ("urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(_holds_no_url)

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
READ_TIMEOUT = 5.0  # seconds between two bytes of the response
MOST_ANSWER_BYTES = 64 * 1024  # WeChat's longest response to these calls is below 2 KiB
POOL_SIZE = 500  # number of idle connections kept; more are opened when all are in use

_HEADERS = {
    "User-Agent": "wxpass",
    "Accept-Encoding": "identity",
    "Accept": "*/*",
    "Connection": "keep-alive",
}
_HEADERS_OF_BODIES = _HEADERS | {"Content-Type": "application/json"}


class Transport:
    """HTTP client of one host. Greenlets may use it concurrently."""

    def __init__(self, base_url: str) -> None:
        self._base_path = parse_url(base_url.rstrip("/")).path or ""
        self._pool = _make_pool(base_url)

    def close(self) -> None:
        """Close the idle connections. The client cannot be used afterwards."""
        self._pool.close()

    def exchange(self, method: str, target: str, body: bytes | None = None) -> JsonObject:
        """Send a request and return the JSON object of the response. Raise WeChatUnavailable.

        `target` is the path with the query. The request is retried once if no connection was
        established. It is never retried after it may have arrived, because codes are single-use.
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
                # A response that was read completely has already returned its connection to the
                # pool. Otherwise the connection is closed, because the unread rest would be taken
                # for the next response.
                response.close()
                response.release_conn()
        except HTTPError as error:
            # The error message contains the URL with the AppSecret, so only the class is kept.
            raise WeChatUnavailable(
                reason=type(error).__name__,
                # True also for a failed TLS handshake, which has the error of a broken response.
                maybe_consumed=not isinstance(error, (ConnectTimeoutError, NewConnectionError)),
                answered=False,
            ) from None

    def _request(self, method: str, target: str, body: bytes | None) -> BaseHTTPResponse:
        # The body is bytes, not a stream: WeChat rejects chunked requests with an empty 412.
        return self._pool.urlopen(
            method,
            self._base_path + target,
            body,
            _HEADERS_OF_BODIES if body else _HEADERS,
            redirect=False,
            assert_same_host=False,  # `target` is a path and has no host
            timeout=Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT),
            preload_content=False,
        )


def _make_pool(base_url: str) -> HTTPConnectionPool:
    # urllib3 ignores proxy settings of the environment, and keeps no cookies.
    https = parse_url(base_url).scheme == "https"
    return connection_from_url(
        base_url,
        maxsize=POOL_SIZE,
        block=False,
        retries=Retry(False, redirect=False),  # shared; `False` would create one per call
        **({"ssl_context": _trust(), "cert_reqs": ssl.CERT_REQUIRED} if https else {}),
    )


def _trust() -> ssl.SSLContext:
    """Return a TLS context that trusts only certifi's authorities. Loading them is slow."""
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)  # also checks the host name
    context.load_verify_locations(certifi.where())
    return context


def _read_content(response: BaseHTTPResponse) -> bytes:
    # Refusals have status 200 too (全局返回码). Other statuses do not come from the API itself.
    if response.status != HTTPStatus.OK:
        raise WeChatUnavailable(reason=f"HTTP {response.status}", maybe_consumed=True)
    content = response.read(MOST_ANSWER_BYTES + 1)
    if len(content) > MOST_ANSWER_BYTES:
        raise WeChatUnavailable(reason="answer too long", maybe_consumed=True)
    return content


def _read_object(content: bytes) -> JsonObject:
    # The Content-Type is ignored: WeChat sends JSON as text/plain without a charset.
    try:
        return parse_object(content)
    except WrongShape:
        raise WeChatUnavailable(reason="answer is no JSON object", maybe_consumed=True) from None


def _has_no_query(record: logging.LogRecord) -> bool:
    return "?" not in record.getMessage()


# urllib3 logs URLs, and the query of WeChat's URLs contains the AppSecret or access token.
for _name in ("urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(_has_no_query)

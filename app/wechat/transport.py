"""Carries one request to WeChat and its JSON back, without ever repeating what was sent."""

import logging
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from app.wechat.errors import WeChatUnavailable
from app.wechat.json_fields import JsonObject, WrongShape, parse_object

CONNECT_TIMEOUT = 3.0  # seconds
READ_TIMEOUT = 5.0  # seconds between two bytes of the answer
MOST_ANSWER_BYTES = 64 * 1024  # WeChat's longest answer here is below 2 KiB
POOL_SIZE = 500  # idle connections kept; more are opened when all are in use

_NETWORK_ERRORS = (requests.RequestException, HTTPError)


class Transport:
    """Talk HTTP to one host, from many greenlets at once."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._session = _make_session()

    def close(self) -> None:
        """Close the idle connections."""
        self._session.close()

    def exchange(
        self, method: str, path: str, query: Mapping[str, str], body: bytes | None = None
    ) -> JsonObject:
        """Send a request and return the JSON object of its answer; raises WeChatUnavailable.

        Repeats it once if no connection could be made, and never after it may have arrived: the
        codes in it work once.
        """
        try:
            content = self._fetch(method, path, query, body)
        except WeChatUnavailable as failure:
            if failure.maybe_consumed:
                raise
            content = self._fetch(method, path, query, body)
        return _read_object(content)

    def _fetch(self, method: str, path: str, query: Mapping[str, str], body: bytes | None) -> bytes:
        try:
            with self._request(method, path, query, body) as response:
                return _read_content(response)
        except _NETWORK_ERRORS as error:
            # The text of these errors holds the URL with its secret: nothing of it may pass.
            raise WeChatUnavailable(
                reason=type(error).__name__,
                maybe_consumed=not _never_arrived(error),
                answered=False,
            ) from None

    def _request(
        self, method: str, path: str, query: Mapping[str, str], body: bytes | None
    ) -> requests.Response:
        # The body is bytes, never a stream: WeChat answers a chunked request with an empty 412.
        return self._session.request(
            method,
            self._base_url + path,
            params=query,
            data=body,
            headers={"Content-Type": "application/json"} if body else None,
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
            stream=True,
        )


class _SessionWithoutRedirects(requests.Session):
    """Takes a redirect as it is. requests would parse and read it even when told not to follow."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


def _make_session() -> requests.Session:
    session = _SessionWithoutRedirects()
    session.trust_env = False  # no proxy, netrc or certificates from the environment
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.update({"User-Agent": "wxpass", "Accept-Encoding": "identity"})
    adapter = HTTPAdapter(pool_maxsize=POOL_SIZE, pool_block=False)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _read_content(response: requests.Response) -> bytes:
    # Refusals come as 200 too (全局返回码); anything else is not from the API itself.
    if response.status_code != requests.codes.ok:
        raise WeChatUnavailable(reason=f"HTTP {response.status_code}", maybe_consumed=True)
    content: bytes = response.raw.read(MOST_ANSWER_BYTES + 1, decode_content=True)
    if len(content) > MOST_ANSWER_BYTES:
        raise WeChatUnavailable(reason="answer too long", maybe_consumed=True)
    return content


def _read_object(content: bytes) -> JsonObject:
    # The content type is not asked: WeChat labels JSON text/plain, and names no charset.
    try:
        return parse_object(content)
    except WrongShape:
        raise WeChatUnavailable(reason="answer is no JSON object", maybe_consumed=True) from None


def _never_arrived(error: Exception) -> bool:
    # requests wraps urllib3's MaxRetryError, which holds the cause as its reason. A failed TLS
    # handshake is not counted: what urllib3 reports for it also fits a broken answer.
    cause = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(cause, (ConnectTimeoutError, NewConnectionError))


def _holds_no_url(record: logging.LogRecord) -> bool:
    return "?" not in record.getMessage()


# urllib3 logs URLs, and here their query holds an AppSecret or an access token.
for _name in ("urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(_holds_no_url)

"""Login codes that are refused without a call to WeChat.

- A code that WeChat has rejected is refused for five minutes. The client that has used the code may
  repeat its login.
- A client that sends many rejected codes is refused for the rest of the minute. Clients are counted
  by app, IP address and User-Agent. Successful logins are not counted: thousands of phones share
  the IP address of a mobile carrier.
- WeChat's errcode 45011 (too many calls in this minute) may concern one user. The client is refused
  for a minute; the whole app only after 45011 at three IP addresses in 10 seconds.

All state is bounded and kept per process, except for the counts (`RateLimits`).
"""

import math
import time
from collections import deque
from dataclasses import dataclass
from threading import Lock
from typing import cast

import structlog
from flask import current_app

from app.errors import CodesTooMany, CodeUsed, Failure, WeChatRateLimited, as_failure
from app.services.login.code_exchange import LoginRequest
from app.services.runtime.bounded import keep_latest
from app.services.runtime.rate_limits import RateLimits, Rule
from app.wechat import CodeRejected, RateLimited

CALLS_PER_MINUTE_EXCEEDED = 45011
REJECTED_FOR = 300.0
BACKOFF_SECONDS = 60.0
# 45011 at this many IP addresses within this many seconds concerns the whole app.
APP_WIDE_ADDRESSES = 3
APP_WIDE_WINDOW = 10.0
MOST_REMEMBERED = 10_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Rejected:
    failure: type[Failure]
    until: float


class CodeFailures:
    """Rejected codes, and clients and apps that are temporarily refused."""

    def __init__(self, rate_limits: RateLimits, failed_codes_per_minute: int) -> None:
        self._rate_limits = rate_limits
        self._rule = Rule("failed_codes", failed_codes_per_minute)
        self._lock = Lock()
        # The keys are blind indexes: of a code that nobody has used, or of a code and a client.
        self._rejected: dict[bytes, _Rejected] = {}
        self._backoffs: dict[tuple[str, ...], float] = {}
        self._limited_addresses: dict[str, deque[tuple[float, str]]] = {}

    def refuse(self, request: LoginRequest) -> None:
        """Raise the failure of a request that is refused without a call to WeChat.

        Raises CodeInvalid or CodeUsed for a rejected code, CodesTooMany for a client with many
        failed codes, and WeChatRateLimited during a backoff.
        """
        for index in (request.code_index, _index_of_used(request)):
            rejected = self._rejected.get(index)
            if rejected is not None and time.monotonic() < rejected.until:
                raise rejected.failure("rejected before")
        client = _client_of(request)
        if wait := self._rate_limits.wait_of(self._rule, *client):
            raise CodesTooMany(retry_after=wait)
        for key in (client, (request.app.appid,)):
            wait = math.ceil(self._backoffs.get(key, 0.0) - time.monotonic())
            if wait > 0:
                limited = WeChatRateLimited("backoff", retry_after=wait)
                limited.errcode = CALLS_PER_MINUTE_EXCEEDED
                raise limited

    def note(self, request: LoginRequest, error: BaseException) -> None:
        """Record a rejected code or errcode 45011, so that `refuse` can refuse later requests.

        Other failures of WeChat (errcode -1, timeouts) are not recorded: the code may be valid.
        """
        if isinstance(error, CodeRejected):
            self._note_rejected(request, request.code_index, type(as_failure(error)))
        elif isinstance(error, RateLimited) and error.errcode == CALLS_PER_MINUTE_EXCEEDED:
            self._back_off(request)

    def note_used(self, request: LoginRequest) -> None:
        """Record that another client has logged in with the code of a request.

        That client may repeat its request, so the code is refused for this client only.
        """
        self._note_rejected(request, _index_of_used(request), CodeUsed)

    def _note_rejected(self, request: LoginRequest, index: bytes, failure: type[Failure]) -> None:
        rejected = _Rejected(failure, time.monotonic() + REJECTED_FOR)
        with self._lock:
            keep_latest(self._rejected, index, rejected, MOST_REMEMBERED)
        self._rate_limits.count(self._rule, *_client_of(request))

    def _back_off(self, request: LoginRequest) -> None:
        moment, appid = time.monotonic(), request.app.appid
        until = moment + BACKOFF_SECONDS
        with self._lock:
            keep_latest(self._backoffs, _client_of(request), until, MOST_REMEMBERED)
            limited = self._limited_addresses.get(appid) or deque(maxlen=100)
            limited.append((moment, request.device.network))
            keep_latest(self._limited_addresses, appid, limited, MOST_REMEMBERED)
            recent = {one for since, one in limited if since > moment - APP_WIDE_WINDOW}
            if len(recent) >= APP_WIDE_ADDRESSES:
                keep_latest(self._backoffs, (appid,), until, MOST_REMEMBERED)
                log.warning("wechat_limits_app", appid=appid, seconds=BACKOFF_SECONDS)


def _index_of_used(request: LoginRequest) -> bytes:
    return request.code_index + request.asked_by


def _client_of(request: LoginRequest) -> tuple[str, ...]:
    return (request.app.appid, request.device.network, request.device.model or "")


def code_failures() -> CodeFailures:
    """Return the `CodeFailures` of the running app."""
    return cast(CodeFailures, current_app.extensions["code_failures"])

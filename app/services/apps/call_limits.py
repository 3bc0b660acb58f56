"""Bounds on calls to WeChat: calls in flight per app and in total, and a circuit breaker per app.

Each process has its own state. When WeChat is slow for one app, the requests of that app occupy
only the app's share of the process, and requests for other apps are served.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import randint
from threading import Lock
from typing import NamedTuple, cast

import structlog
from flask import current_app

from app.errors import Failure, WeChatBusy, WeChatCircuitOpen
from app.metrics.definitions import WECHAT_REJECTED
from app.metrics.recording import count
from app.services.apps.apps import AppConfig

# The circuit opens when half of the last 20 calls went unanswered.
WINDOW = 20
OPENS_AT = WINDOW // 2
# While the circuit is open, one call in this many seconds tests whether WeChat answers again.
PROBE_EVERY = 1.0
# The range of Retry-After in seconds. It varies so that refused clients do not return together.
RETRY_AFTER = (3, 8)
# The number of apps above which the states of idle apps are dropped.
MOST_IDLE = 10_000
# Why a call was not made, in metrics.
APP_LIMIT, PROCESS_LIMIT, CIRCUIT_OPEN = "app_limit", "process_limit", "circuit_open"

log = structlog.get_logger()


class AppCalls(NamedTuple):
    """The calls of an app in flight, and whether its circuit is open."""

    appid: str
    in_flight: int
    is_open: bool


@dataclass(slots=True)
class _AppState:
    in_flight: int = 0
    most: int = 0
    answered: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))
    is_open: bool = False
    next_probe_at: float = 0.0


class CallLimits:
    """The calls in flight and the circuits of one process."""

    def __init__(
        self, per_app: int, in_total: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.per_app = per_app
        self.in_total = in_total
        self._clock = clock
        self._lock = Lock()
        self._all_in_flight = 0
        self._states: OrderedDict[str, _AppState] = OrderedDict()

    @contextmanager
    def slot(self, appid: str, most: int | None = None, *, is_call: bool = True) -> Iterator[None]:
        """Count a call of the app as in flight. `most` replaces the default bound for the app.

        `is_call` is false for a request that waits for the call of another request. Such a request
        does not test an open circuit. Never waits. Raises WeChatBusy if the app or the process has
        too many calls in flight, and WeChatCircuitOpen if the app's circuit is open.
        """
        self._enter(appid, self.per_app if most is None else most, is_call=is_call)
        try:
            yield
        finally:
            with self._lock:
                self._all_in_flight -= 1
                self._states[appid].in_flight -= 1

    def watch(
        self, appid: str, _call: str, _seconds: float, answered: bool, _errcode: int | None = None
    ) -> None:
        """Record whether WeChat answered a call. The first answer closes an open circuit."""
        with self._lock:
            state = self._state(appid)
            if answered and state.is_open:
                state.is_open = False
                state.answered.clear()
                log.info("wechat_circuit_closed", appid=appid)
            state.answered.append(answered)
            unanswered = state.answered.count(False)
            if len(state.answered) == WINDOW and unanswered >= OPENS_AT and not state.is_open:
                state.is_open = True
                state.next_probe_at = self._clock() + PROBE_EVERY
                log.warning("wechat_circuit_opened", appid=appid, unanswered=unanswered)

    def find_refusal(self, appid: str) -> type[Failure] | None:
        """Return the exception that `slot` would raise for an app, or None. Changes no state."""
        state = self._states.get(appid)
        if state is None:
            return None
        if state.is_open and self._clock() < state.next_probe_at:
            return WeChatCircuitOpen
        is_full = state.in_flight >= state.most or self._all_in_flight >= self.in_total
        return WeChatBusy if state.in_flight and is_full else None

    def busy_apps(self) -> Sequence[AppCalls]:
        """Return the apps with calls in flight or with an open circuit."""
        with self._lock:
            return [
                AppCalls(appid, state.in_flight, state.is_open)
                for appid, state in self._states.items()
                if state.in_flight or state.is_open
            ]

    def count_rejection(self, appid: str, failure: type[Failure]) -> None:
        """Count a call that was not made because of `failure`, which `find_refusal` returned."""
        state = self._states.get(appid)
        is_own = state is not None and state.in_flight >= state.most
        bound = APP_LIMIT if is_own else PROCESS_LIMIT
        count(WECHAT_REJECTED, appid, CIRCUIT_OPEN if failure is WeChatCircuitOpen else bound)

    def in_flight(self, appid: str) -> int:
        """Return the number of the app's calls in flight in this process."""
        state = self._states.get(appid)
        return state.in_flight if state else 0

    def is_open(self, appid: str) -> bool:
        """Return whether the app's circuit is open in this process."""
        state = self._states.get(appid)
        return state is not None and state.is_open

    def _enter(self, appid: str, most: int, *, is_call: bool) -> None:
        with self._lock:
            state = self._state(appid)
            state.most = most
            if state.in_flight >= most:
                count(WECHAT_REJECTED, appid, APP_LIMIT)
                raise WeChatBusy("the app's calls in flight", retry_after=retry_after())
            if self._all_in_flight >= self.in_total:
                count(WECHAT_REJECTED, appid, PROCESS_LIMIT)
                raise WeChatBusy("the process's calls in flight", retry_after=retry_after())
            if state.is_open and is_call:
                self._probe(appid, state)
            state.in_flight += 1
            self._all_in_flight += 1

    def _probe(self, appid: str, state: _AppState) -> None:
        moment = self._clock()
        if moment < state.next_probe_at:
            count(WECHAT_REJECTED, appid, CIRCUIT_OPEN)
            raise WeChatCircuitOpen(retry_after=retry_after())
        state.next_probe_at = moment + PROBE_EVERY

    def _state(self, appid: str) -> _AppState:
        state = self._states.setdefault(appid, _AppState())
        self._states.move_to_end(appid)
        if len(self._states) > MOST_IDLE:
            self._drop_an_idle_state()
        return state

    def _drop_an_idle_state(self) -> None:
        idle = next((appid for appid, state in self._states.items() if not state.in_flight), None)
        if idle is not None:
            del self._states[idle]


def retry_after() -> int:
    """Return a random number of seconds after which a refused client may try again."""
    return randint(*RETRY_AFTER)  # noqa: S311 - spreads clients over time, not a secret


def call_limits() -> CallLimits:
    """Return the call limits of the running Flask app."""
    return cast(CallLimits, current_app.extensions["call_limits"])


@contextmanager
def call_slot(app: AppConfig) -> Iterator[None]:
    """Count a call of the app as in flight. Raises WeChatBusy or WeChatCircuitOpen."""
    with call_limits().slot(app.appid, app.wechat_call_limit):
        yield


@contextmanager
def waiting_slot(app: AppConfig) -> Iterator[None]:
    """Count a request that waits for another request's call as in flight. Raises WeChatBusy."""
    with call_limits().slot(app.appid, app.wechat_call_limit, is_call=False):
        yield

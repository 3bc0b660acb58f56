"""Work beside the requests of a process, on threads that end with it."""

import time
from collections.abc import Callable
from threading import Thread

import structlog
from flask import Flask

log = structlog.get_logger()


def begin(app: Flask, name: str, work: Callable[[], None]) -> None:
    """Let a thread do some work; no request fails because none can be had."""
    try:
        Thread(target=_do, args=(app, work), name=name, daemon=True).start()
    except RuntimeError as error:
        log.warning("background_not_begun", work=name, error=str(error))


def _do(app: Flask, work: Callable[[], None]) -> None:
    # A greenlet begins with the log's context of the request that made it.
    structlog.contextvars.clear_contextvars()
    with app.app_context():
        work()


def every(seconds: float, work: Callable[[], None]) -> None:
    """Do some work again and again, for ever."""
    while True:
        time.sleep(seconds)
        work()

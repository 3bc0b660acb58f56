"""Daemon threads for background work, which end with the process."""

import atexit
import time
from collections.abc import Callable
from threading import Thread
from typing import Protocol

import structlog
from flask import Flask

from app.metrics.definitions import BACKGROUND_JOB_RUNS, FAILED, OK
from app.metrics.recording import count

log = structlog.get_logger()


def begin(app: Flask, name: str, work: Callable[[], None]) -> None:
    """Run `work` in a background thread. Only log a warning if no thread can be started."""
    try:
        Thread(target=_do, args=(app, work), name=name, daemon=True).start()
    except RuntimeError as error:
        log.warning("background_not_begun", work=name, error=str(error))


def _do(app: Flask, work: Callable[[], None]) -> None:
    # A greenlet inherits the log context of the request that started it.
    structlog.contextvars.clear_contextvars()
    with app.app_context():
        work()


class Gathered(Protocol):
    """Data that a process collects in memory and writes to the database later."""

    begin_writing: Callable[[], None] | None

    @property
    def has_begun(self) -> bool: ...


def write_regularly(
    app: Flask, name: str, gathered: Gathered, seconds: float, write: Callable[[], bool | None]
) -> None:
    """Call `write` every `seconds` in each process that collects data, and once at its exit."""

    def write_last() -> None:
        # A process that exits cannot start threads.
        if gathered.has_begun:
            with app.app_context():
                write()

    gathered.begin_writing = lambda: begin(app, name, lambda: every(seconds, write, name))
    atexit.register(write_last)


def every(seconds: float, work: Callable[[], bool | None], name: str | None = None) -> None:
    """Call `work` every `seconds`. Never returns. Its runs are counted under `name`, if given.

    `work` returns False after a failure.
    """
    while True:
        time.sleep(seconds)
        has_failed = work() is False
        if name is not None:
            count_run(name, succeeded=not has_failed)


def count_run(job: str, *, succeeded: bool) -> None:
    """Count a run of a background job."""
    count(BACKGROUND_JOB_RUNS, job, OK if succeeded else FAILED)

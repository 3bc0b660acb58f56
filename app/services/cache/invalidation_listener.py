"""Listener for PostgreSQL notifications of changes, on a separate connection."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, Self, cast
from uuid import UUID

import structlog
from flask import Flask, current_app
from psycopg import ConnectionInfo, Cursor, Notify

from app.services.cache.invalidation import EVERYTHING, InvalidationLog
from app.services.cache.registry import Caches
from app.services.runtime import background

log = structlog.get_logger()

CHANNEL = "wxpass_changes"
# The interval of checks. Cached values are valid for FRESH_SECONDS after a successful check.
ASK_SECONDS = 0.25
PAUSE_SECONDS = 0.5
# The connection is closed when sent data is not acknowledged for this many milliseconds.
UNANSWERED_MS = 3000
# The application_name that operators see in pg_stat_activity.
NAME = "wxpass changes"
# The name of the background job.
JOB = "changes"

LISTEN = f"LISTEN {CHANNEL}"
# The check detects a connection pooler and missing triggers. A pooler lends connections on which
# another client may have listened, drops the notifications that arrive between clients, and reports
# a made-up process id. Before the migration that creates the triggers, no notifications are sent. A
# standby sends none either. Read-only transactions indicate that a failover is in progress.
CAN_RECEIVE = f"""
SELECT pg_backend_pid() = %(pid)s
    AND '{CHANNEL}' IN (SELECT pg_listening_channels())
    AND to_regproc('tell_of_change') IS NOT NULL
    AND NOT pg_is_in_recovery()
    AND current_setting('transaction_read_only') = 'off'
"""


class ListenerLost(Exception):
    """Notifications of changes cannot arrive.

    The connection does not listen, the triggers are missing, or the server is not the primary.
    """


class Listener(Protocol):
    """The connection that `app.connections` opens for notifications."""

    info: ConnectionInfo

    def execute(self, query: str, params: Mapping[str, object] | None = None) -> Cursor[Any]: ...
    def notifies(self, *, timeout: float | None = None) -> Iterator[Notify]: ...
    def is_usable(self) -> bool: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *details: Any) -> None: ...


def listen_regularly(app: Flask) -> None:
    """Start a listener thread in each process when the process first uses the caches."""
    caches: Caches = app.extensions["caches"]

    def begin() -> None:
        changes = caches.changes
        background.begin(app, JOB, lambda: _keep_listening(changes))

    caches.begin_listening = begin


def _keep_listening(changes: InvalidationLog) -> None:
    while True:
        try:
            with _connect() as connection:
                _listen(connection, changes)
        except Exception as error:
            log.warning("caches_off", error=type(error).__name__)
            background.count_run(JOB, succeeded=False)
        finally:
            changes.lose()
        time.sleep(PAUSE_SECONDS)


def _connect() -> Listener:
    """Return a new connection outside the pool, which bypasses a pooler."""
    connect = cast(Callable[..., Listener], current_app.extensions["connect_directly"])
    return connect(application_name=NAME, tcp_user_timeout=UNANSWERED_MS)


def _listen(connection: Listener, changes: InvalidationLog) -> None:
    """Record notifications until the connection fails. Always ends with an exception.

    PostgreSQL signals listeners before it confirms a commit, and sends pending notifications to a
    listener before the result of the listener's next query. So when a query returns, the
    notifications of all changes committed before the query have arrived.
    """
    connection.execute(LISTEN)
    changes.begin()
    _ask(connection, changes)
    log.info("caches_on")
    background.count_run(JOB, succeeded=True)
    while True:
        _note(connection, changes, seconds=ASK_SECONDS)
        _ask(connection, changes)


def _ask(connection: Listener, changes: InvalidationLog) -> None:
    asked_at, pid = time.monotonic(), connection.info.backend_pid
    if not connection.is_usable() or connection.execute(CAN_RECEIVE, {"pid": pid}).fetchone() != (
        True,
    ):
        raise ListenerLost
    _note(connection, changes, seconds=0)
    changes.mark_fresh(asked_at)


def _note(connection: Listener, changes: InvalidationLog, seconds: float) -> None:
    for notice in connection.notifies(timeout=seconds):
        changes.note(subject_of(notice.payload))


def subject_of(payload: str) -> bytes | str:
    """Return the subject of a notification: bytes of a UUID, `app:` and an appid, or EVERYTHING.

    An unknown payload may come from a newer version, so it invalidates EVERYTHING.
    """
    if payload.startswith("app:"):
        return payload
    try:
        return UUID(payload).bytes
    except ValueError:
        return EVERYTHING

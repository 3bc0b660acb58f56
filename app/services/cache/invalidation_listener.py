"""Listeners for PostgreSQL notifications of changes, each on a separate connection."""

import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Protocol, Self, cast
from uuid import UUID

from flask import Flask
from psycopg import ConnectionInfo, Cursor, Notify

from app.services.cache.invalidation import EVERYTHING, InvalidationLog
from app.services.cache.listened_nodes import ListenedNodes, ListenerLost
from app.services.cache.registry import Caches
from app.services.database.citus_nodes import HAS_CITUS, read_cluster
from app.services.runtime import background

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
    AND current_setting('transaction_read_only') = 'off',
    {HAS_CITUS}
"""


class Listener(Protocol):
    """The connection that `app.connections` opens for notifications."""

    info: ConnectionInfo

    def execute(self, query: str, params: Mapping[str, object] | None = None, /) -> Cursor[Any]: ...
    def notifies(self, *, timeout: float | None = None) -> Iterator[Notify]: ...
    def is_usable(self) -> bool: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *details: Any) -> None: ...


class Address(Protocol):
    """An address of `app.connections`. Its connections bypass the pool and a pooler."""

    def connect(self, *, application_name: str, tcp_user_timeout: int) -> Listener: ...


def listen_regularly(app: Flask) -> None:
    """Start the listener threads of a process when it first uses the caches.

    Each node has its own thread, so that a node that does not respond cannot delay the others.
    """
    caches: Caches = app.extensions["caches"]

    def begin() -> None:
        addresses = cast("tuple[Address, ...]", app.extensions["direct_addresses"])
        nodes = ListenedNodes(caches.changes, len(addresses))
        for number, address in enumerate(addresses):
            background.begin(app, JOB, partial(_keep_listening, address, nodes, number))

    caches.begin_listening = begin


def _keep_listening(address: Address, nodes: ListenedNodes, number: int = 0) -> None:
    while True:
        try:
            with _connect(address) as connection:
                _listen(connection, nodes, number)
        except Exception as error:
            nodes.lose(number)
            nodes.report_loss(str(address), error)
            background.count_run(JOB, succeeded=False)
        finally:
            nodes.lose(number)
        time.sleep(PAUSE_SECONDS)


def _connect(address: Address) -> Listener:
    return address.connect(application_name=NAME, tcp_user_timeout=UNANSWERED_MS)


def _listen(connection: Listener, nodes: ListenedNodes, number: int = 0) -> None:
    """Record notifications until the connection fails. Always ends with an exception.

    PostgreSQL signals listeners before it confirms a commit, and sends pending notifications to a
    listener before the result of the listener's next query. So when a query returns, the
    notifications of all changes committed before the query have arrived.
    """
    connection.execute(LISTEN)
    nodes.changes.begin()
    _ask(connection, nodes, number)
    background.count_run(JOB, succeeded=True)
    while True:
        _note(connection, nodes.changes, seconds=ASK_SECONDS)
        _ask(connection, nodes, number)


def _ask(connection: Listener, nodes: ListenedNodes, number: int) -> None:
    asked_at, pid = time.monotonic(), connection.info.backend_pid
    if not connection.is_usable():
        raise ListenerLost
    can_receive, has_citus = connection.execute(CAN_RECEIVE, {"pid": pid}).fetchone() or (None,) * 2
    if not can_receive:
        raise ListenerLost
    _note(connection, nodes.changes, seconds=0)
    nodes.check(number, read_cluster(connection) if has_citus else None)
    nodes.mark_fresh(number, asked_at)


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

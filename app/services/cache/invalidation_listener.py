"""Listener for PostgreSQL's notifications of changes, on a separate connection."""

import time
from uuid import UUID

import psycopg
import structlog
from flask import Flask, current_app
from psycopg import Connection

from app.extensions import db
from app.services.cache.invalidation import EVERYTHING, InvalidationLog
from app.services.cache.registry import Caches
from app.services.runtime import background

log = structlog.get_logger()

CHANNEL = "wxpass_changes"
# Asked so often, it is not long before a connection that only seems to live is no longer believed.
ASK_SECONDS = 0.25
PAUSE_SECONDS = 0.5
# Of a network that swallows everything, in milliseconds: then the connection is given up.
UNANSWERED_MS = 3000
# So operators know it in pg_stat_activity.
NAME = "wxpass changes"

LISTEN = f"LISTEN {CHANNEL}"
# A connection pooler lends connections on which another client may have listened, drops the
# notifications that arrive between clients, and invents the process id that it reports. Before the
# migration that creates the triggers there are no notifications at all.
IS_HEARD = f"""
SELECT pg_backend_pid() = %(pid)s
    AND '{CHANNEL}' IN (SELECT pg_listening_channels())
    AND to_regproc('tell_of_change') IS NOT NULL
"""


class ListenerLost(Exception):
    """The connection is not the one that listens, or the triggers that notify are missing."""


def listen_regularly(app: Flask) -> None:
    """Start a listener in each process with its first use of a cache."""
    caches: Caches = app.extensions["caches"]

    def begin() -> None:
        changes = caches.changes
        background.begin(app, "changes", lambda: _keep_listening(changes))

    caches.begin_listening = begin


def _keep_listening(changes: InvalidationLog) -> None:
    while True:
        try:
            with _connect() as connection:
                _listen(connection, changes)
        except Exception as error:
            log.warning("caches_off", error=type(error).__name__)
        finally:
            changes.lose()
        time.sleep(PAUSE_SECONDS)


def _connect() -> "Connection[tuple[bool]]":
    """Connect as the pool does, but outside of it."""
    arguments, options = db.engine.dialect.create_connect_args(db.engine.url)
    options |= current_app.config["SQLALCHEMY_ENGINE_OPTIONS"]["connect_args"]
    options |= {"application_name": NAME, "tcp_user_timeout": UNANSWERED_MS}
    return psycopg.connect(*arguments, **options, autocommit=True)


def _listen(connection: "Connection[tuple[bool]]", changes: InvalidationLog) -> None:
    """Process notifications until the connection fails. Raises its error.

    PostgreSQL signals a listener before the committing client gets its response, and sends pending
    notifications before the response to the listener's next query. When that response arrives, all
    changes committed before the query have been processed.
    """
    connection.execute(LISTEN)
    changes.begin()
    _ask(connection, changes)
    log.info("caches_on")
    while True:
        _note(connection, changes, seconds=ASK_SECONDS)
        _ask(connection, changes)


def _ask(connection: "Connection[tuple[bool]]", changes: InvalidationLog) -> None:
    asked_at, pid = time.monotonic(), connection.info.backend_pid
    if connection.execute(IS_HEARD, {"pid": pid}).fetchone() != (True,):
        raise ListenerLost
    _note(connection, changes, seconds=0)
    changes.mark_fresh(asked_at)


def _note(connection: "Connection[tuple[bool]]", changes: InvalidationLog, seconds: float) -> None:
    for notice in connection.notifies(timeout=seconds):
        changes.note(subject_of(notice.payload))


def subject_of(payload: str) -> bytes | str:
    """Read what a notice is about: the bytes of an id, an app's subject, or EVERYTHING.

    What is not understood, a newer version may have sent: it may be about anything.
    """
    if payload.startswith("app:"):
        return payload
    try:
        return UUID(payload).bytes
    except ValueError:
        return EVERYTHING

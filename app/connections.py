"""The pool's connections: looked at before they are used, which asks the database nothing."""

from typing import Any

import psycopg
from flask import Flask
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from app.extensions import db

WAS_USED = "was_used"


def init_app(app: Flask) -> None:
    """Let a connection that Postgres has closed be replaced before anybody uses it."""
    with app.app_context():
        event.listen(db.engine, "checkout", _refuse_closed)


def _refuse_closed(
    connection: psycopg.Connection[Any], entry: ConnectionPoolEntry, _: object
) -> None:
    """Let the pool connect anew, unless it has just done so: then the database is going away."""
    try:
        look(connection)
    except psycopg.OperationalError:
        if entry.info.get(WAS_USED):
            raise DisconnectionError from None
        raise
    entry.info[WAS_USED] = True


def look(connection: psycopg.Connection[Any]) -> None:
    """Read what has arrived meanwhile, without waiting: of a closed connection, its end.

    A ping would be a round trip of every request. Raises psycopg.OperationalError.
    """
    connection.pgconn.consume_input()  # Postgres' farewell, if there is one
    connection.pgconn.consume_input()

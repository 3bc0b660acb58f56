"""Checks of pooled connections before their use, without a round trip."""

from typing import Any

import psycopg
from flask import Flask
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from app.extensions import db

WAS_USED = "was_used"


def init_app(app: Flask) -> None:
    """Replace connections that PostgreSQL has closed before they are used."""
    with app.app_context():
        event.listen(db.engine, "checkout", _refuse_closed)


def _refuse_closed(
    connection: psycopg.Connection[Any], entry: ConnectionPoolEntry, _: object
) -> None:
    """Make the pool connect again, unless the connection is new: then the database is stopping."""
    try:
        look(connection)
    except psycopg.OperationalError:
        if entry.info.get(WAS_USED):
            raise DisconnectionError from None
        raise
    entry.info[WAS_USED] = True


def look(connection: psycopg.Connection[Any]) -> None:
    """Read what has arrived, without waiting. On a closed connection this is its end.

    A ping would be a round trip of every request. Raises psycopg.OperationalError.
    """
    connection.pgconn.consume_input()  # PostgreSQL's last message, if there is one
    connection.pgconn.consume_input()

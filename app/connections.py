"""The pool's connections: looked at before they are used, which asks the database nothing."""

from typing import Any

import psycopg
from flask import Flask
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError

from app.extensions import db


def init_app(app: Flask) -> None:
    """Let a connection that Postgres has closed be replaced before anybody uses it."""
    with app.app_context():
        event.listen(db.engine, "checkout", _refuse_closed)


def _refuse_closed(connection: psycopg.Connection[Any], *_: object) -> None:
    """Read what has arrived meanwhile, without waiting: of a closed connection, its end.

    A ping would be a round trip of every request. For this error the pool connects anew.
    """
    try:
        connection.pgconn.consume_input()  # Postgres' farewell, if there is one
        connection.pgconn.consume_input()
    except psycopg.OperationalError:
        raise DisconnectionError from None

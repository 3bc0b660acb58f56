"""Database connections: the pool, deadlines, and the choice of the primary server."""

from typing import Any

import psycopg
from flask import Flask, current_app
from sqlalchemy import Engine, NullPool, create_engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from app.connections.deadlines import WAIT_SECONDS, DeadlineConnection, ReplicaConnection
from app.connections.direct import DirectAddress
from app.connections.hosts import CONNECT_SECONDS, Connector
from app.connections.primary import (
    Primary,
    ServerOutdated,
    ServerReadOnly,
)
from app.connections.waiting_pool import FairQueue, ReplicaPool, WaitingPool
from app.extensions import REPLICA, db

__all__ = [
    "CONNECT_SECONDS",
    "DeadlineConnection",
    "DirectAddress",
    "FairQueue",
    "ReplicaConnection",
    "ReplicaPool",
    "ServerReadOnly",
    "WaitingPool",
    "direct_engine",
    "init_app",
    "raise_if_closed",
]

WAS_USED = "was_used"


def init_app(app: Flask) -> None:
    """Register the pool's event listeners, and the connections that bypass a pooler.

    `app.extensions["direct_addresses"]` has the addresses for notifications, one per database node.
    """
    primary = Primary()
    is_pooled = app.config["DATABASE_POOLER"] is not None
    connector = Connector(primary, is_pooled=is_pooled)
    direct = Connector(primary) if is_pooled else connector
    with app.app_context():
        _watch(db.engine, _connecting_with(connector))
        if REPLICA in db.engines:
            _watch(db.engines[REPLICA], _connect_to_replica)
    app.extensions["direct_engine"] = _new_direct_engine(app, direct) if is_pooled else None
    app.extensions["direct_addresses"] = _direct_addresses(app, direct)


def _watch(engine: Engine, connect: Any) -> None:
    """Register the listeners of an engine's pool. `connect` opens its connections."""
    event.listen(engine, "do_connect", connect)
    event.listen(engine, "checkout", _refuse_unusable)
    event.listen(engine, "checkin", _restore)


def _connect_to_replica(_dialect: Any, _entry: Any, arguments: Any, options: Any) -> Any:
    return ReplicaConnection.connect(*arguments, **options)


def direct_engine() -> Engine:
    """Return the engine for migrations and session locks. Its connections bypass a pooler."""
    direct: Engine | None = current_app.extensions["direct_engine"]
    return db.engine if direct is None else direct


def _new_direct_engine(app: Flask, connector: Connector) -> Engine:
    engine = create_engine(
        app.config["DIRECT_DATABASE_URL"],
        poolclass=NullPool,
        hide_parameters=True,
        connect_args=app.config["DIRECT_CONNECT_ARGS"],
    )
    event.listen(engine, "do_connect", _connecting_with(connector))
    return engine


def _connecting_with(connector: Connector) -> Any:
    def connect(_dialect: Any, _entry: Any, arguments: Any, options: Any) -> DeadlineConnection:
        return connector.connect(DeadlineConnection, arguments, options)

    return connect


def _direct_addresses(app: Flask, connector: Connector) -> tuple[DirectAddress, ...]:
    """Return the addresses for notifications. Each Citus worker has its own failover."""
    options = app.config["DIRECT_CONNECT_ARGS"]
    first = DirectAddress(app.config["DIRECT_DATABASE_URL"], options, connector)
    workers = app.config["WORKER_DATABASE_URLS"]
    return first, *(DirectAddress(url, options, Connector(Primary())) for url in workers)


def _restore(connection: DeadlineConnection | None, entry: ConnectionPoolEntry) -> None:
    """Restore the deadline. Close an outdated connection instead of keeping it in the pool."""
    if connection is None:
        return
    connection.wait_seconds = WAIT_SECONDS
    if not connection.is_usable():
        entry.invalidate()


def _refuse_unusable(connection: DeadlineConnection, entry: ConnectionPoolEntry, _: object) -> None:
    """Make the pool replace a connection that is closed or outdated.

    For a new one, raise: the server is stopping, or another server has just become the primary.
    """
    try:
        raise_if_closed(connection)
        if not connection.is_usable():
            read_only = connection.is_read_only()
            raise (ServerReadOnly if read_only else ServerOutdated)("the primary has changed")
    except psycopg.OperationalError:
        if entry.info.get(WAS_USED):
            raise DisconnectionError from None
        raise
    entry.info[WAS_USED] = True


def raise_if_closed(connection: psycopg.Connection[Any]) -> None:
    """Raise psycopg.OperationalError if the server has closed the connection. Never blocks.

    Cheaper than a ping, which would add a round trip to every request.
    """
    # The first call may read PostgreSQL's last message, the second one detects the end.
    connection.pgconn.consume_input()
    connection.pgconn.consume_input()

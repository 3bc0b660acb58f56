"""Connections to the read replica: a small pool whose transactions are read only."""

from typing import Any, ClassVar, Self

from flask import Flask

from app.connections import DeadlineConnection, watch_connections
from app.extensions import REPLICA, db

POOL_SIZE = 4
# A request that gets no connection within this time reads from the primary.
POOL_SECONDS = 0.5
READ_ONLY = "-c default_transaction_read_only=on"


class ReplicaConnection(DeadlineConnection):
    """A connection whose transactions begin with `BEGIN READ ONLY`.

    PostgreSQL refuses writes even if the server is a primary, or if a connection pooler has dropped
    the startup option. A timeout of the replica does not shorten the waits for the primary.
    """

    suspect_until: ClassVar[float] = 0.0

    @classmethod
    def connect(cls, *arguments: Any, **options: Any) -> Self:
        """Connect, and make all transactions read only."""
        connection = super().connect(*arguments, **options)
        connection.read_only = True
        return connection


def replica_bind(url: str | None, primary: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return Flask-SQLAlchemy's binds: the replica with the primary's options, or none."""
    if url is None:
        return {}
    arguments = primary["connect_args"]
    options = {"options": f"{arguments['options']} {READ_ONLY}"}
    bounds = {
        "pool_size": min(POOL_SIZE, primary["pool_size"]),
        "pool_timeout": POOL_SECONDS,
        "connect_args": arguments | options,
    }
    return {REPLICA: primary | bounds | {"url": url}}


def init_app(app: Flask) -> None:
    """Register the listeners of the replica's pool, if there is a replica."""
    with app.app_context():
        if REPLICA in db.engines:
            watch_connections(db.engines[REPLICA], ReplicaConnection)

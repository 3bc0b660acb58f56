"""Checks of the way to the database server: writable, and no pooler but the configured one."""

from contextlib import suppress
from typing import Any, Protocol, cast

import psycopg
from flask import current_app
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.errors import (
    DatabaseListenUrlWrong,
    DatabaseListenWorkerWrong,
    DatabasePoolerUndeclared,
    DatabaseReadOnly,
    DatabaseRoleUnfit,
    Failure,
)
from app.services.database.citus_nodes import Node, has_citus, read_cluster
from app.services.database.transactions import transaction

BACKEND_PID = "SELECT pg_backend_pid()"
# The settings that a direct connection sends with `options` (app/settings.py), which a pooler
# refuses. The role must have them instead.
ROLE_SETTINGS = {
    "statement_timeout": "4s",
    "idle_in_transaction_session_timeout": "30s",
    "timezone": "UTC",
}
READ_SETTINGS = text(
    "SELECT lower(name) AS name, setting FROM pg_settings WHERE lower(name) = ANY(:names)"
)
NAMES = {"names": [*ROLE_SETTINGS]}
# A shorter timeout is accepted. The unit of both is the millisecond.
MOST_MILLISECONDS = {"statement_timeout": 4_000, "idle_in_transaction_session_timeout": 30_000}
UTC = ("UTC", "Etc/UTC")
IS_READ_ONLY = text("SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'")
# Identifies a database across all servers. The copies of a cluster have the same value.
DATABASE_IDENTITY = (
    "(SELECT concat(system_identifier, '/', oid) FROM pg_control_system(), pg_database"
    " WHERE datname = current_database())"
)
READ_IDENTITY = f"SELECT {DATABASE_IDENTITY}"
OPTIONS_REFUSED = "unsupported startup parameter"


class DirectAddress(Protocol):
    """An address of `app.connections`. Its connections bypass the pool and a pooler."""

    def connect(self) -> "psycopg.Connection[Any]": ...


def refuse_read_only(db: Session) -> None:
    """Raise DatabaseReadOnly if the server accepts no writes. Takes one statement.

    A pooler does not report this. The connections to the server are then replaced.
    """
    if db.scalar(IS_READ_ONLY):
        cast(Any, db.connection().connection.driver_connection).reject_server()
        raise DatabaseReadOnly


def find_known_cause(error: Exception) -> Failure | None:
    """Return the failure that explains why a server has refused a connection or a write, or None.

    `error` is an error of SQLAlchemy or psycopg.
    """
    origin = getattr(error, "orig", None) or error
    if getattr(origin, "sqlstate", None) == psycopg.errors.ReadOnlySqlTransaction.sqlstate:
        return DatabaseReadOnly()
    if OPTIONS_REFUSED in str(origin):
        return DatabasePoolerUndeclared(about="DATABASE_POOLER")
    return None


def check_pooler() -> None:
    """Check that a pooler is used exactly as configured, and check the addresses for notifications.

    Raises DatabasePoolerUndeclared, DatabaseRoleUnfit, DatabaseListenUrlWrong,
    DatabaseListenWorkerWrong, psycopg.Error or SQLAlchemyError.
    """
    addresses = direct_addresses()
    try:
        if current_app.config["DATABASE_POOLER"] is None:
            _refuse_pooler()
        else:
            _check_role()
        if current_app.config["DATABASE_POOLER"] or len(addresses) > 1:
            check_listen_url()
        _check_workers(addresses)
    except (psycopg.OperationalError, SQLAlchemyError) as error:
        cause = find_known_cause(error)
        if isinstance(cause, DatabasePoolerUndeclared):
            raise cause from None
        raise
    current_app.extensions["pooler_fits"] = True


def check_pooler_once() -> None:
    """Check the pooler if the boot could not, because the database was unavailable."""
    if "pooler_fits" not in current_app.extensions:
        check_pooler()


def is_pooled(connection: Connection) -> bool:
    """Return whether the process id that a connection reports is not that of the server."""
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    return bool(connection.scalar(text(BACKEND_PID)) != driver.info.backend_pid)


def _refuse_pooler() -> None:
    """Raise DatabasePoolerUndeclared if the connections of the service lead to a pooler."""
    with transaction() as db:
        if is_pooled(db.connection()):
            raise DatabasePoolerUndeclared(about="DATABASE_POOLER")


def _check_role() -> None:
    with transaction() as db:
        found = {row.name: row.setting for row in db.execute(READ_SETTINGS, NAMES)}
    missing = [name for name in ROLE_SETTINGS if not _is_fit(name, found[name])]
    if missing:
        statements = " ".join(
            f"ALTER ROLE CURRENT_USER SET {name} = '{ROLE_SETTINGS[name]}';" for name in missing
        )
        raise DatabaseRoleUnfit(about="DATABASE_URL", values={"statements": statements})


def _is_fit(name: str, value: str) -> bool:
    most = MOST_MILLISECONDS.get(name)
    return value in UTC if most is None else 0 < int(value) <= most


def check_listen_url() -> None:
    """Raise DatabaseListenUrlWrong if the address leads to a pooler or to another database."""
    with transaction() as db:
        pooled = tuple(db.execute(text(READ_IDENTITY)).one())
    address, *_ = direct_addresses()
    try:
        with address.connect() as direct:
            if _is_direct(direct) and direct.execute(READ_IDENTITY).fetchone() == pooled:
                return
    except psycopg.OperationalError as error:
        if OPTIONS_REFUSED not in str(error):
            raise
    raise DatabaseListenUrlWrong(about="DATABASE_LISTEN_URL")


def direct_addresses() -> tuple[DirectAddress, ...]:
    """Return the addresses for notifications: of the database, then of the Citus workers."""
    return cast("tuple[DirectAddress, ...]", current_app.extensions["direct_addresses"])


def find_worker(address: DirectAddress) -> Node | None:
    """Return the Citus worker that an address leads to, or None. Raise OperationalError."""
    try:
        with address.connect() as direct:
            if _is_direct(direct) and has_citus(direct):
                return read_cluster(direct).own_node
    except psycopg.OperationalError as error:
        if OPTIONS_REFUSED not in str(error):
            raise
    return None


def _is_direct(connection: "psycopg.Connection[Any]") -> bool:
    """Return whether no pooler is between this process and PostgreSQL."""
    return connection.execute(BACKEND_PID).fetchone() == (connection.info.backend_pid,)


def _check_workers(addresses: tuple[DirectAddress, ...]) -> None:
    """Raise DatabaseListenWorkerWrong for an address that leads to no worker of the cluster.

    The first address leads to the coordinator. An unavailable worker is not checked, so that the
    service can start for the tenants of the others. Its listener checks the same when it connects.
    """
    first, *others = addresses
    if not others:
        return
    with first.connect() as direct:
        workers = read_cluster(direct).workers if has_citus(direct) else {}
    for number, address in enumerate(others, start=2):
        with suppress(psycopg.OperationalError):
            if not workers or find_worker(address) not in workers:
                raise DatabaseListenWorkerWrong(
                    about="DATABASE_LISTEN_URL", values={"number": str(number)}
                )

"""Connecting to the primary server of several hosts, within one deadline."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import psycopg

from app.connections.deadlines import DeadlineConnection, connecting_until
from app.connections.primary import Primary, ServerReadOnly, identify
from app.errors.sqlstates import is_at_connection_limit

# For all hosts together. A request may first wait for a connection of the pool, and gets 503 within
# 5 seconds.
CONNECT_SECONDS = 2.0
LISTS = ("host", "hostaddr", "port")

C = TypeVar("C", bound=DeadlineConnection)
Host = tuple[tuple[str, str], ...]


class Connector:
    """Opens connections to the primary server. Tries the host first that was the last primary.

    Otherwise each new connection would wait for the timeout of a frozen or unreachable host. Behind
    a pooler, a connection may lead to another server later, which the pooler does not report.
    """

    def __init__(self, primary: Primary, *, is_pooled: bool = False) -> None:
        self._primary = primary
        self._is_pooled = is_pooled
        self._preferred: Host | None = None
        self._failed_at: dict[Host, float] = {}

    def connect(self, kind: type[C], arguments: Sequence[str], options: Mapping[str, Any]) -> C:
        """Return a connection of the class `kind`. Raise psycopg.OperationalError.

        If several hosts fail, the error tells whether one of them was read-only.
        """
        until = time.monotonic() + CONNECT_SECONDS
        hosts = self._in_order(hosts_of(options))
        shared = {name: value for name, value in options.items() if name not in LISTS}
        errors: list[psycopg.OperationalError] = []
        for number, host in enumerate(hosts):
            if errors and time.monotonic() > until:
                break  # The next call begins with the hosts that were not tried.
            share = (until - time.monotonic()) / (len(hosts) - number)
            try:
                connection = self._open(
                    kind, arguments, shared | dict(host), time.monotonic() + share
                )
            except psycopg.OperationalError as error:
                errors.append(error)
                self._failed_at[host] = time.monotonic()
            else:
                self._preferred = host
                return connection
        raise _worst_of(errors)

    def _in_order(self, hosts: Sequence[Host]) -> list[Host]:
        def order(host: Host) -> tuple[bool, float]:
            return host != self._preferred, self._failed_at.get(host, 0.0)

        return sorted(hosts, key=order)

    def _open(
        self, kind: type[C], arguments: Sequence[str], options: dict[str, Any], until: float
    ) -> C:
        epoch = self._primary.epoch
        # libpq would decide by parameters that PgBouncer stores from an earlier connection.
        options.pop("target_session_attrs", None)
        with connecting_until(until):
            connection = kind.connect(*arguments, **options)
        try:
            server = identify(connection, until)
            connection.epoch = epoch if server is None else self._primary.accept(server)
        except BaseException:
            connection.close()
            raise
        connection.primary = self._primary
        connection.reports_status = not self._is_pooled
        return connection


def hosts_of(options: Mapping[str, Any]) -> list[Host]:
    """Return the parameters host, hostaddr and port of each host. libpq separates hosts by commas.

    An empty port is the default port.
    """
    lists = {name: str(options[name]).split(",") for name in LISTS if options.get(name)}
    count = max((len(lists.get(name, ())) for name in ("host", "hostaddr")), default=0) or 1
    for name, values in lists.items():
        lists[name] = values * count if len(values) == 1 else values
    return [
        tuple((name, values[number]) for name, values in lists.items() if values[number])
        for number in range(count)
    ]


def _worst_of(errors: Sequence[psycopg.OperationalError]) -> psycopg.OperationalError:
    """Return the error that describes the failure of all hosts best."""
    for error in errors:
        if is_at_connection_limit(error):
            return error
    for error in errors:
        if isinstance(error, ServerReadOnly):
            return error
    return errors[-1]

"""Connections outside the pool, for notifications."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import make_url

from app.connections.deadlines import ListeningConnection
from app.connections.hosts import Connector, hosts_of


@dataclass(frozen=True, slots=True)
class DirectAddress:
    """Address of a database node. Its connections bypass the pool and a pooler."""

    url: str = field(repr=False)
    options: Mapping[str, Any] = field(repr=False)
    connector: Connector = field(repr=False)

    def connect(self, **more: Any) -> ListeningConnection:
        """Return a new connection in autocommit mode. Raise psycopg.OperationalError."""
        url = make_url(self.url)
        arguments, options = url.get_dialect()().create_connect_args(url)
        options = {**options, **self.options, **more, "autocommit": True}
        return self.connector.connect(ListeningConnection, arguments, options)

    def __str__(self) -> str:
        """Return the hosts and ports, without the role and its password."""
        url = make_url(self.url)
        _, options = url.get_dialect()().create_connect_args(url)
        hosts = (dict(host) for host in hosts_of(options))
        return ",".join(
            f"{host.get('host') or host.get('hostaddr', '')}:{host.get('port', '5432')}"
            for host in hosts
        )

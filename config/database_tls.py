"""The check that production uses TLS for a database on another machine.

The rules are libpq's. The URL is parsed by SQLAlchemy, because the two differ: of several `host`
parameters libpq uses the last one and SQLAlchemy all of them.

`config` does not import this module. gunicorn's configuration imports `config` before gevent
patches the standard library, and psycopg chooses its wait function at its first import.
"""

from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address
from itertools import zip_longest

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from config import Config
from config.readers import refuse

STRICT = ("require", "verify-ca", "verify-full")
RIGHT = "postgresql://wxpass:password@db.example.com/wxpass?sslmode=require"


class NotConnectable(Exception):
    """libpq rejects a parameter of the URL."""


def require_database_tls(config: Config, environ: Mapping[str, str]) -> None:
    """Raise ConfigError if production would send data unencrypted to another machine."""
    if not config.production or config.database_tls == "trusted-network":
        return
    _require_tls("DATABASE_URL", config.database_url, environ)
    for url in config.listen_urls:
        _require_tls("DATABASE_LISTEN_URL", url, environ)
    if config.database_replica_url is not None:
        _require_tls("DATABASE_REPLICA_URL", config.database_replica_url, environ)


def _require_tls(name: str, url: str, environ: Mapping[str, str]) -> None:
    try:
        if is_protected(url, environ):
            return
    except NotConnectable:
        refuse(
            name,
            "has a port or a parameter that PostgreSQL's client library refuses",
            "含有 PostgreSQL 客户端库不接受的端口或参数",
            f"export {name}='{RIGHT}'",
        )
    refuse(
        name,
        "names a database on another machine and does not require TLS. Append sslmode=require, "
        "verify-ca or verify-full; or set DATABASE_TLS=trusted-network if no one else can read "
        "what passes on that network",
        "指向其他机器上的数据库，但未强制使用 TLS。请加上 sslmode=require、verify-ca 或 "
        "verify-full；如果该网络上没有他人能读取通信内容，可设置 DATABASE_TLS=trusted-network",
        f"export {name}='{RIGHT}'",
    )


def is_protected(url: str, environ: Mapping[str, str]) -> bool:
    """Return whether all connections are encrypted or local to this machine.

    `url` is in SQLAlchemy's format. libpq's environment variables, such as PGSSLMODE and PGHOST,
    apply. Host names are not resolved. Raises NotConnectable.
    """
    given = _parameters(url)
    if given.get("service") or environ.get("PGSERVICE"):
        # The service file is not read. It can set any address, and overrides the environment.
        return given.get("sslmode") in STRICT
    if given.get("sslmode", environ.get("PGSSLMODE")) in STRICT:
        return True
    hosts = given.get("host", environ.get("PGHOST", ""))
    addresses = given.get("hostaddr", environ.get("PGHOSTADDR", ""))
    # libpq connects to the address if there is one, and uses the host only for verification.
    attempts = zip_longest(addresses.split(","), hosts.split(","), fillvalue="")
    return all(is_on_this_machine(address or host) for address, host in attempts)


def _parameters(url: str) -> dict[str, str]:
    """Return the connection parameters that libpq receives for a URL."""
    try:
        parsed = make_url(url)
        _, options = parsed.get_dialect()().create_connect_args(parsed)
        given = conninfo_to_dict(make_conninfo(**options))
    except (ArgumentError, ValueError, psycopg.Error):
        raise NotConnectable from None
    return {name: str(value) for name, value in given.items()}


def is_on_this_machine(address: str) -> bool:
    """Return whether an address is local. An empty address is the default Unix socket."""
    if address.casefold() in ("", "localhost") or address.startswith(("/", "@")):
        return True
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return (mapped or ip).is_loopback

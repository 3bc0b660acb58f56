"""The check that production uses TLS for a database on another machine.

The rules are libpq's. The parameters come from SQLAlchemy, because the two read a URL differently:
of several `host` parameters libpq keeps the last one and SQLAlchemy all of them.

Not imported by `config` itself: gunicorn's configuration reads that before gevent has patched
anything, and psycopg decides how it waits when it is first imported.
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
RIGHT = "export DATABASE_URL='postgresql://wxpass:password@db.example.com/wxpass?sslmode=require'"


class NotConnectable(Exception):
    """libpq rejects a parameter of the URL."""


def require_database_tls(config: Config, environ: Mapping[str, str]) -> None:
    """Raise ConfigError if production would send data unencrypted to another machine."""
    if not config.production or config.database_tls == "trusted-network":
        return
    try:
        if is_protected(config.database_url, environ):
            return
    except NotConnectable:
        refuse(
            "DATABASE_URL",
            "has a port or a parameter that PostgreSQL's client library refuses",
            "含有 PostgreSQL 客户端库不接受的端口或参数",
            RIGHT,
        )
    refuse(
        "DATABASE_URL",
        "names a database on another machine and does not require TLS. Append sslmode=require, "
        "verify-ca or verify-full; or set DATABASE_TLS=trusted-network if no one else can read "
        "what passes on that network",
        "指向其他机器上的数据库，但未强制使用 TLS。请加上 sslmode=require、verify-ca 或 "
        "verify-full；如果该网络上没有他人能读取通信内容，可设置 DATABASE_TLS=trusted-network",
        RIGHT,
    )


def is_protected(url: str, environ: Mapping[str, str]) -> bool:
    """Return whether connections are encrypted, or stay on this machine.

    `url` is SQLAlchemy's. libpq's own environment variables, such as PGSSLMODE and PGHOST, are
    taken into account. No name is looked up. Raises NotConnectable.
    """
    given = _parameters(url)
    if given.get("service") or environ.get("PGSERVICE"):
        # The service file is not read. It may name any address, and comes before the environment.
        return given.get("sslmode") in STRICT
    if given.get("sslmode", environ.get("PGSSLMODE")) in STRICT:
        return True
    hosts = given.get("host", environ.get("PGHOST", ""))
    addresses = given.get("hostaddr", environ.get("PGHOSTADDR", ""))
    # Each attempt connects to its address; its host is then only a name to verify.
    attempts = zip_longest(addresses.split(","), hosts.split(","), fillvalue="")
    return all(_is_on_this_machine(address or host) for address, host in attempts)


def _parameters(url: str) -> dict[str, str]:
    """Return the parameters that libpq gets for a URL, by name."""
    try:
        parsed = make_url(url)
        _, options = parsed.get_dialect()().create_connect_args(parsed)
        given = conninfo_to_dict(make_conninfo(**options))
    except (ArgumentError, ValueError, psycopg.Error):
        raise NotConnectable from None
    return {name: str(value) for name, value in given.items()}


def _is_on_this_machine(address: str) -> bool:
    """Return whether an address is a Unix socket or loopback; no address is the default socket."""
    if address.casefold() in ("", "localhost") or address.startswith(("/", "@")):
        return True
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return (mapped or ip).is_loopback

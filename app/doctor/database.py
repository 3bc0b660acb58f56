"""Checks of the database server, and of the connection to it."""

from collections.abc import Iterator
from typing import Any, cast

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.doctor.findings import Deployment, Finding, error, of_failure, ok, warning
from app.doctor.running import reason_of
from app.errors import Failure
from app.services.database.server_checks import (
    check_pooler,
    find_known_cause,
    refuse_read_only,
)
from app.services.database.transactions import transaction
from config.database_tls import is_on_this_machine

OLDEST_VERSION = 14
READ_SERVER = text(
    "SELECT current_setting('server_version_num')::int / 10000 AS major,"
    " current_setting('server_version') AS version,"
    " (SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database())"
    " AS encoding, pg_size_pretty(pg_database_size(current_database())) AS size"
)
VERIFIED = ("verify-ca", "verify-full")


def check_connection(deployment: Deployment) -> Iterator[Finding]:
    """Check that the database can be reached, and that it accepts writes."""
    try:
        with transaction() as db:
            db.execute(text("SELECT 1"))
            refuse_read_only(db)
    except Failure as failure:
        yield of_failure(failure)
    except (SQLAlchemyError, psycopg.Error) as refused:
        yield _unreachable(refused)
    else:
        yield ok("database_reachable", "The database answers.", "数据库可以连接。")


def _unreachable(refused: Exception) -> Finding:
    if cause := find_known_cause(refused):
        return of_failure(cause)
    reason = reason_of(refused)
    return error(
        "database_unreachable",
        (f"The database cannot be reached: {reason}", f"无法连接数据库：{reason}"),
        (
            "Check that PostgreSQL runs, that DATABASE_URL has its address, role and password, and "
            "that pg_hba.conf and the firewall admit this machine.",
            "请确认 PostgreSQL 正在运行，DATABASE_URL 中的地址、角色和密码正确，"
            "且 pg_hba.conf 与防火墙允许本机连接。",
        ),
    )


def check_server(deployment: Deployment) -> Iterator[Finding]:
    """Check the version and the encoding of the database."""
    with transaction() as db:
        server = db.execute(READ_SERVER).one()
    if server.major < OLDEST_VERSION:
        yield error(
            "database_outdated",
            (
                f"PostgreSQL {server.version} is older than {OLDEST_VERSION}.",
                f"PostgreSQL {server.version} 低于 {OLDEST_VERSION}。",
            ),
            ("Upgrade PostgreSQL.", "请升级 PostgreSQL。"),
        )
    else:
        yield ok(
            "database_version",
            f"PostgreSQL {server.version}; the database has {server.size}.",
            f"PostgreSQL {server.version}，数据库大小为 {server.size}。",
        )
    if server.encoding != "UTF8":
        yield error(
            "database_encoding",
            (
                f"The encoding of the database is {server.encoding}, not UTF8.",
                f"数据库编码为 {server.encoding}，而不是 UTF8。",
            ),
            (
                "Create the database with ENCODING 'UTF8' TEMPLATE template0, and restore into it.",
                "请以 ENCODING 'UTF8' TEMPLATE template0 新建数据库，并恢复数据。",
            ),
        )


def check_pooling(deployment: Deployment) -> Iterator[Finding]:
    """Check that a pooler is used as configured, with the timeouts that the role then needs."""
    check_pooler()
    if deployment.settings.database_pooler:
        yield ok(
            "pooler_fits",
            "The pooler is declared, and DATABASE_LISTEN_URL bypasses it.",
            "已声明连接池，DATABASE_LISTEN_URL 直连数据库。",
        )
    else:
        yield ok(
            "connection_direct",
            "The connection has no pooler. The service sets its timeouts.",
            "未经过连接池，由服务设置超时。",
        )


def check_tls(deployment: Deployment) -> Iterator[Finding]:
    """Check that the connection in use is encrypted, and that the server is verified."""
    with transaction() as db:
        driver = cast("psycopg.Connection[Any]", db.connection().connection.driver_connection)
        host = driver.info.hostaddr if driver.info.host[:1] not in ("/", "@") else driver.info.host
        is_encrypted = driver.pgconn.ssl_in_use
        mode = driver.info.get_parameters().get("sslmode", "prefer")
    if is_encrypted and mode in VERIFIED:
        yield ok(
            "database_tls", f"TLS with sslmode={mode} is in use.", f"已使用 TLS，sslmode={mode}。"
        )
    elif is_on_this_machine(host):
        yield ok("database_local", "The database is on this machine.", "数据库在本机，无需 TLS。")
    elif is_encrypted:
        yield _unverified(mode)
    else:
        yield _unencrypted(host, deployment.settings.database_tls == "trusted-network")


def _unverified(mode: str) -> Finding:
    return warning(
        "database_unverified",
        (
            f"TLS is in use, but sslmode={mode} does not verify the server's certificate.",
            f"已使用 TLS，但 sslmode={mode} 不验证服务器证书。",
        ),
        (
            "Append sslmode=verify-full&sslrootcert=/path/ca.pem to DATABASE_URL.",
            "请在 DATABASE_URL 后加上 sslmode=verify-full&sslrootcert=/path/ca.pem。",
        ),
    )


def _unencrypted(host: str, is_accepted: bool) -> Finding:
    what = (
        f"The connection to the database at {host} is not encrypted.",
        f"到数据库 {host} 的连接未加密。",
    )
    remedy = (
        "Set ssl=on in PostgreSQL, and append sslmode=verify-full to DATABASE_URL. See "
        "docs/operations.md.",
        "请在 PostgreSQL 中设置 ssl=on，并在 DATABASE_URL 后加上 sslmode=verify-full，"
        "参见 docs/operations.zh-CN.md。",
    )
    return (warning if is_accepted else error)("database_unencrypted", what, remedy)

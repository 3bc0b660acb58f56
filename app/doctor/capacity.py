"""Checks of bounds: database connections, disks, and the server of the rate limits."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from limits.errors import StorageError
from limits.storage import storage_from_string
from sqlalchemy import text

from app.doctor.findings import Deployment, Finding, error, ok, warning
from app.services.database.transactions import transaction

READ_LIMITS = text(
    "SELECT current_setting('max_connections')::int"
    " - current_setting('superuser_reserved_connections')::int"
    " - coalesce(current_setting('reserved_connections', true)::int, 0) AS available,"
    " (SELECT count(DISTINCT client_addr) FROM pg_stat_activity WHERE usename = current_user"
    " AND datname = current_database() AND client_addr IS NOT NULL) AS addresses"
)
GIGABYTE = 1024**3
LOW_SHARE, LOW_BYTES = 0.10, 2 * GIGABYTE
FULL_SHARE, FULL_BYTES = 0.02, GIGABYTE // 4


def check_connections(deployment: Deployment) -> Iterator[Finding]:
    """Check that all workers can hold their connections: (pool + 1) × workers × hosts."""
    with transaction() as db:
        limits = db.execute(READ_LIMITS).one()
    config, workers = deployment.settings, deployment.workers
    hosts = deployment.hosts or max(1, limits.addresses)
    # Behind a pooler, only the connections for notifications lead to PostgreSQL itself.
    each = 1 if config.database_pooler else config.database_pool_size + 1
    needed = each * workers * hosts
    sum_of = f"{each} × {workers} × {hosts} = {needed}"
    if needed < limits.available:
        yield ok(
            "connections_suffice",
            f"Connections × workers × hosts: {sum_of}; PostgreSQL allows {limits.available}.",
            f"连接数 × worker 数 × 主机数：{sum_of}，PostgreSQL 允许 {limits.available}。",
        )
        return
    yield error(
        "connections_too_few",
        (
            f"The service may need {sum_of} connections, but PostgreSQL allows {limits.available}. "
            "Requests fail with database_unavailable under load.",
            f"服务最多需要 {sum_of} 个连接，而 PostgreSQL 只允许 {limits.available} 个，"
            "高负载时请求会返回 database_unavailable。",
        ),
        (
            "Raise max_connections of PostgreSQL, lower DATABASE_POOL_SIZE or GUNICORN_WORKERS, or "
            "put PgBouncer in front. --hosts sets the number of machines.",
            "请调大 PostgreSQL 的 max_connections，调小 DATABASE_POOL_SIZE 或 GUNICORN_WORKERS，"
            "或使用 PgBouncer。--hosts 指定机器数量。",
        ),
    )


def check_disks(deployment: Deployment) -> Iterator[Finding]:
    """Check the free space of this machine: root, temporary files and the working folder."""
    seen = set[int]()
    for folder in (Path("/"), Path(tempfile.gettempdir()), Path.cwd(), Path("/var/log")):
        with suppress(OSError):
            device = folder.stat().st_dev
            if device not in seen:
                seen.add(device)
                yield _of_disk(folder, *shutil.disk_usage(folder))


def _of_disk(folder: Path, total: int, _: int, free: int) -> Finding:
    shown = f"{free / GIGABYTE:.1f} GB"
    is_low = free < LOW_BYTES or (free < LOW_SHARE * total and free < 10 * GIGABYTE)
    if not is_low:
        return ok("disk_free", f"{folder}: {shown} free.", f"{folder}：剩余 {shown}。")
    level = error if free < FULL_BYTES or free < FULL_SHARE * total else warning
    return level(
        "disk_low",
        (
            f"{folder}: only {shown} of {total / GIGABYTE:.1f} GB are free.",
            f"{folder}：{total / GIGABYTE:.1f} GB 中仅剩 {shown}。",
        ),
        (
            "Delete old logs and backups, or enlarge the disk.",
            "请清理旧日志和备份，或扩容磁盘。",
        ),
    )


def check_rate_limit_storage(deployment: Deployment) -> Iterator[Finding]:
    """Check the server that counts failed attempts for all processes."""
    url = deployment.settings.rate_limit_storage_url
    if url is None:
        yield ok(
            "rate_limits_own",
            f"Each of {deployment.workers} processes counts failed attempts for itself.",
            f"{deployment.workers} 个进程各自统计失败次数。",
        )
        return
    storage = storage_from_string(
        url, wrap_exceptions=True, socket_timeout=3, socket_connect_timeout=3
    )
    try:
        is_up = storage.check()
    except StorageError:
        is_up = False
    if is_up:
        yield ok(
            "rate_limits_shared",
            "The server of RATE_LIMIT_STORAGE_URL answers.",
            "RATE_LIMIT_STORAGE_URL 的服务器可以连接。",
        )
        return
    yield error(
        "rate_limits_unreachable",
        (
            "The server of RATE_LIMIT_STORAGE_URL cannot be reached. Each process counts for "
            "itself, so more attempts are allowed.",
            "无法连接 RATE_LIMIT_STORAGE_URL 的服务器，各进程单独计数，限制因此变松。",
        ),
        (
            "Start Redis or Valkey, and check host, port and password in RATE_LIMIT_STORAGE_URL.",
            "请启动 Redis 或 Valkey，并检查 RATE_LIMIT_STORAGE_URL 中的主机、端口和密码。",
        ),
    )

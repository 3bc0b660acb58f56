"""Checks of what must happen regularly: retention, backups, archiving and replication."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import text

from app.clock import now
from app.doctor.findings import Deployment, Finding, error, ok, warning
from app.extensions import REPLICA
from app.extensions import db as database
from app.services.database.transactions import transaction
from app.services.job_runs import last_runs

MAX_AGE = timedelta(hours=48)
MAX_LAG_SECONDS = 10.0
READ_ARCHIVER = text(
    "SELECT failed_count, last_failed_wal FROM pg_stat_archiver WHERE last_failed_time IS NOT NULL"
    " AND (last_archived_time IS NULL OR last_failed_time > last_archived_time)"
)
READ_LAG = text(
    "SELECT pg_is_in_recovery() AS is_standby, CASE"
    " WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0"
    " ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8"
    " END AS lag, EXISTS (SELECT FROM pg_stat_wal_receiver) AS is_streaming"
)
JOBS = {
    "retention": (
        ("Retention", "数据清理"),
        (
            "Run flask --app wsgi retention run every day, from cron or a timer.",
            "请通过 cron 或定时器每天执行 flask --app wsgi retention run。",
        ),
    ),
    "backup": (
        ("A backup", "备份"),
        (
            "Run the backup, and let its script end with flask --app wsgi jobs record backup.",
            "请执行备份，并在备份脚本末尾执行 flask --app wsgi jobs record backup。",
        ),
    ),
}


def check_jobs(deployment: Deployment) -> Iterator[Finding]:
    """Check that retention and a backup have succeeded within two days."""
    runs, moment = last_runs(), now()
    for job, ((en, zh), remedy) in JOBS.items():
        finished = runs.get(job)
        if finished is None:
            yield warning(
                f"{job}_missing",
                (f"{en} has never been recorded.", f"从未记录过{zh}。"),
                remedy,
            )
        elif moment - finished > MAX_AGE:
            hours = int((moment - finished) / timedelta(hours=1))
            yield error(
                f"{job}_outdated",
                (f"{en} last succeeded {hours} hours ago.", f"{zh}上次成功是在 {hours} 小时前。"),
                remedy,
            )
        else:
            yield ok(f"{job}_recent", f"{en} has succeeded recently.", f"{zh}近期已成功。")


def check_archiver(deployment: Deployment) -> Iterator[Finding]:
    """Check that PostgreSQL archives its write-ahead log, if it does so at all."""
    with transaction() as db:
        failing = db.execute(READ_ARCHIVER).one_or_none()
    if failing is None:
        yield ok("archiver_fine", "No archiving of the WAL fails.", "WAL 归档没有失败。")
        return
    yield error(
        "archiver_failing",
        (
            f"PostgreSQL cannot archive {failing.last_failed_wal}: the disk fills, and backups "
            "cannot be restored to a point in time.",
            f"PostgreSQL 无法归档 {failing.last_failed_wal}："
            "磁盘会被占满，且无法恢复到任意时间点。",
        ),
        (
            "Read PostgreSQL's log, and correct archive_command or its target.",
            "请查看 PostgreSQL 日志，修正 archive_command 或归档目标。",
        ),
    )


def check_replica(deployment: Deployment) -> Iterator[Finding]:
    """Check the server of DATABASE_REPLICA_URL: a standby, and how far behind it is."""
    if deployment.settings.database_replica_url is None:
        return
    with database.engines[REPLICA].connect() as connection:
        state = connection.execute(READ_LAG).one()
    advice = (
        "Check the standby's log, its network and primary_conninfo.",
        "请检查备库的日志、网络和 primary_conninfo。",
    )
    if not state.is_standby:
        yield error(
            "replica_not_standby",
            (
                "The server of DATABASE_REPLICA_URL is no standby, so it is not used.",
                "DATABASE_REPLICA_URL 指向的服务器不是备库，不会被使用。",
            ),
            ("Set it to a standby of DATABASE_URL.", "请改为 DATABASE_URL 的备库。"),
        )
    elif not state.is_streaming or (state.lag or 0.0) > MAX_LAG_SECONDS:
        lag = f"{state.lag or 0:.0f}"
        yield warning(
            "replica_behind",
            (
                f"The replica is {lag} s behind or receives nothing. Reads go to the primary.",
                f"只读副本落后 {lag} 秒或未在接收数据，读取将使用主库。",
            ),
            advice,
        )
    else:
        yield ok("replica_current", "The replica is up to date.", "只读副本与主库同步。")

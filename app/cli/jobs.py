"""Commands about periodic jobs."""

from datetime import UTC
from typing import get_args

import click
from flask.cli import with_appcontext

from app.cli.terminal import report_errors_without_key_check, show
from app.services.job_runs import Job, last_runs, record_job


@click.group()
def jobs() -> None:
    """Periodic jobs: retention and backups. 定期任务：数据清理与备份。"""


@jobs.command("list")
@with_appcontext
@report_errors_without_key_check
def list_jobs() -> None:
    """Print each job and when it last succeeded. 列出各任务最近一次成功的时间。"""
    runs = last_runs()
    for job in get_args(Job):
        finished = runs.get(job)
        show(job, finished.astimezone(UTC).isoformat(timespec="seconds") if finished else "-")


@jobs.command("record")
@click.argument("job", type=click.Choice(["backup"]))
@with_appcontext
@report_errors_without_key_check
def record(job: Job) -> None:
    """Record that a backup has succeeded. Backup scripts call it. 记录备份已完成，由备份脚本调用。

    `retention run` records itself. Monitoring warns if the last success is too old.
    """
    record_job(job)
    show("Recorded. 已记录。")

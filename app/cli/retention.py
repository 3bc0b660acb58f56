"""Commands about data retention."""

import click
from flask.cli import with_appcontext

from app.cli.terminal import report_errors, show
from app.services.job_runs import record_job
from app.services.retention.run import FAILED, run_retention


@click.group()
def retention() -> None:
    """Data retention. 数据保留期限。"""


@retention.command("run")
@click.option(
    "--dry-run", is_flag=True, help="Count the expired data without deleting it. 只统计，不删除。"
)
@with_appcontext
@report_errors
def run(dry_run: bool) -> None:
    """Delete expired data, and print kind and count. Run it daily. 清除到期数据，请每天运行。

    Deletes accounts closed longer ago than the tenant's grace period, sessions that ended 90 days
    ago, audit events past the tenant's retention, pushes handled 30 days ago or unhandled for 90
    days, and expired keys, codes and counters. Simultaneous runs are safe. If a kind of data cannot
    be deleted, the error is logged, the exit code is 1, and the next run tries again.
    """
    told = {}
    for kind, count in run_retention(dry_run=dry_run):
        show(kind, count)
        told[kind] = count
    if dry_run:
        show("Nothing was removed. 未删除任何数据。")
    if told[FAILED]:
        raise click.exceptions.Exit(1)
    if not dry_run:
        record_job("retention")

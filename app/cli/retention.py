"""Commands about how long things are kept."""

import click
from flask.cli import with_appcontext

from app.cli.terminal import failures_told, show
from app.services import retention as service


@click.group()
def retention() -> None:
    """How long things are kept. 数据保留期限。"""


@retention.command("run")
@click.option(
    "--dry-run", is_flag=True, help="Only count what is due, remove nothing. 只统计，不删除。"
)
@with_appcontext
@failures_told
def run(dry_run: bool) -> None:
    """Remove what is due: kind, how many. Run it every day. 清除到期数据，请每天运行。

    Accounts closed longer ago than the tenant's grace, sessions that ended 90 days ago, audit
    events older than the tenant keeps, pushes handled 30 days ago or kept for 90, and keys, codes
    and counts that are of no use any more. Simultaneous runs do no harm. What fails is logged
    and left to the next run, and the exit code is 1 then.
    """
    told = {}
    for kind, count in service.run_retention(dry_run=dry_run):
        show(kind, count)
        told[kind] = count
    if dry_run:
        show("Nothing was removed. 未删除任何数据。")
    if told[service.FAILED]:
        raise click.exceptions.Exit(1)

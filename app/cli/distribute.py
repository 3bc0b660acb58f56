"""The command that distributes the database over the nodes of a Citus cluster."""

import click
from flask.cli import with_appcontext

from app.cli.terminal import report_errors_without_key_check, show
from migrations.distribution import NotDistributable, distribute


@click.command("distribute")
@click.option("--dry-run", is_flag=True, help="Print the statements only. 仅打印将执行的语句。")
@click.option(
    "--shards",
    type=click.IntRange(1, 10_000),
    help="Number of shards per tenant table. Default: citus.shard_count of the server."
    " 每个租户表的分片数，默认取服务器的 citus.shard_count。",
)
@with_appcontext
@report_errors_without_key_check
def distribute_database(dry_run: bool, shards: int | None) -> None:
    """Distribute a migrated database with Citus, by tenant. 用 Citus 按租户分布数据库。

    Stop the service first. The command prints each statement before it runs. The conversion is one
    transaction, and a second run changes nothing. See docs/operations.md.

    执行前请先停止服务。命令在执行前逐条打印语句。转换在一个事务内完成，重复执行不会再作更改。
    """
    printed = 0
    try:
        for statement in distribute(shards=shards, dry_run=dry_run):
            show(f"{statement};")
            printed += 1
    except NotDistributable as refused:
        raise click.ClickException(str(refused)) from None
    if not printed:
        show("All tables are already distributed. 所有表均已分布。")

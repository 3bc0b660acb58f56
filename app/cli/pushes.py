"""Commands about message push."""

import click
from flask.cli import with_appcontext

from app.cli.terminal import report_errors, show, validate_slug
from app.services.pushes import push_retry as service


@click.group()
def pushes() -> None:
    """Messages that WeChat pushed. 微信推送的消息。"""


@pushes.command("list")
@click.option(
    "--tenant", callback=validate_slug, help="Only mini-programs of this tenant. 只列出该租户。"
)
@click.option(
    "--unhandled",
    is_flag=True,
    help="Only pushes that failed or that no handler processes. 只列出处理失败的和无需处理的。",
)
@with_appcontext
@report_errors
def list_(tenant: str | None, unhandled: bool) -> None:
    """List the newest 500: id, received, tenant, appid, event, state. 列出最近 500 条推送。"""
    for push in service.list_pushes(tenant, unhandled=unhandled):
        received = push.received_at.isoformat(timespec="seconds")
        show(push.id, received, push.tenant_slug, push.appid, push.event, _state(push))


def _state(push: service.ListedPush) -> str:
    if push.handled_at is not None:
        return "handled"
    return f"failed: {push.failure}" if push.failure else "kept"


@pushes.command("retry")
@with_appcontext
@report_errors
def retry() -> None:
    """Handle failed pushes again. The exit code is 1 if one fails again. 重新处理失败的推送。"""
    retried = service.retry_pushes()
    show(
        f"{retried.handled} handled, {retried.failed} failed. "
        f"成功 {retried.handled} 条，失败 {retried.failed} 条。"
    )
    if retried.failed:
        raise click.exceptions.Exit(1)

"""Commands about the audit log."""

from datetime import UTC, datetime

import click
from flask.cli import with_appcontext

from app.cli.terminal import report_errors, show, validate_slug
from app.services.tenant_admin import audit_listing as service


@click.group()
def audit() -> None:
    """The audit log. 审计记录。"""


@audit.command("list")
@click.argument("tenant", callback=validate_slug)
@click.option("--subject", help="Only events about this id or appid. 只看该对象。")
@click.option("--action", help="Only this action, for example user.erased. 只看该操作。")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="Only events since this time (UTC). 只看此时之后（UTC）。",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 10000),
    default=100,
    show_default=True,
    help="The maximum number of events. 最多列出几条。",
)
@with_appcontext
@report_errors
def list_(
    tenant: str, limit: int, subject: str | None, action: str | None, since: datetime | None
) -> None:
    """List the newest events: time, actor, id, action, subject, address, details. 列出审计记录。"""
    since = since and since.replace(tzinfo=UTC)
    for event in service.list_events(tenant, limit, subject=subject, action=action, since=since):
        when = event.created_at.astimezone(UTC).isoformat(timespec="seconds")
        who = (event.actor_kind, event.actor_id or "-", event.action, event.subject)
        details = " ".join(f"{name}={value}" for name, value in sorted(event.details.items()))
        show(when, *who, event.ip or "-", details or "-")

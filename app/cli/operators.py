"""Commands about operators: the first one is invited here, the others in the console."""

import click
from flask.cli import with_appcontext

from app.cli.terminal import a_slug, failures_told, show
from app.schemas.fields import is_email
from app.services import operators as service
from app.services.audit import OPERATOR

ROLE = click.Choice(["platform", "tenant_admin", "tenant_reader"])


def an_email(_: click.Context, __: click.Parameter, value: str) -> str:
    """Check that a text can be an e-mail address."""
    if not is_email(value):
        raise click.BadParameter("this is no e-mail address. 邮箱格式不正确。")
    return value


@click.group()
def operators() -> None:
    """People who sign in to the console. 控制台的管理员。"""


@operators.command("invite")
@click.argument("email", callback=an_email)
@click.option(
    "--role",
    type=ROLE,
    required=True,
    help="platform runs the service; tenant_admin looks after a tenant, tenant_reader only reads. "
    "platform 管理整个服务；tenant_admin 管理一个租户；tenant_reader 只读。",
)
@click.option("--tenant", callback=a_slug, help="The slug of their tenant. 所属租户。")
@with_appcontext
@failures_told
def invite(email: str, role: str, tenant: str | None) -> None:
    """Add an operator; shows the link with which they choose a password. 邀请管理员。"""
    if (role == "platform") != (tenant is None):
        raise click.UsageError(
            "A tenant's operator needs --tenant, a platform's has none. "
            "租户管理员须指定 --tenant，平台管理员不能指定。"
        )
    _show_link(service.invite_operator(OPERATOR, email, role, tenant))


@operators.command("reset")
@click.argument("email", callback=an_email)
@with_appcontext
@failures_told
def reset(email: str) -> None:
    """Take password, one-time codes and sessions away, and invite anew. 重置管理员。"""
    _show_link(service.reset_operator(OPERATOR, service.find_operator_id(email)))


def _show_link(invitation: str) -> None:
    show(f"/console/invitation#{invitation}")
    click.echo(
        "Open this path of the service within 3 days; it works once. "
        "请在 3 天内打开服务的这个路径，仅可使用一次。",
        err=True,
    )


@operators.command("disable")
@click.argument("email", callback=an_email)
@with_appcontext
@failures_told
def disable(email: str) -> None:
    """Switch an operator off; they are signed out at once. 停用管理员。"""
    service.set_operator_status(OPERATOR, service.find_operator_id(email), "disabled")
    show(f"Disabled {email}. 已停用 {email}。")


@operators.command("enable")
@click.argument("email", callback=an_email)
@with_appcontext
@failures_told
def enable(email: str) -> None:
    """Switch an operator on again. 启用管理员。"""
    service.set_operator_status(OPERATOR, service.find_operator_id(email), "active")
    show(f"Enabled {email}. 已启用 {email}。")


@operators.command("list")
@with_appcontext
@failures_told
def list_() -> None:
    """List operators: e-mail, role, tenant, status, last sign-in. 列出管理员。"""
    for one in service.list_operators():
        status = "invited" if one.is_invited and one.status == "active" else one.status
        seen = one.signed_in_at.isoformat(timespec="seconds") if one.signed_in_at else "-"
        show(one.email, one.role, one.tenant_slug or "-", status, seen)

"""Commands about operators. The first platform admin is invited with a command."""

import click
from flask.cli import with_appcontext

from app.cli.terminal import report_errors, show, validate_slug
from app.schemas.fields import is_email
from app.services.audit import OPERATOR
from app.services.operators import listed_operators
from app.services.operators import operators as service

ROLE = click.Choice(["platform", "tenant_admin", "tenant_reader"])


def validate_email(_: click.Context, __: click.Parameter, value: str) -> str:
    """Return the e-mail address, or raise BadParameter if it is malformed."""
    if not is_email(value):
        raise click.BadParameter("this is no e-mail address. 邮箱格式不正确。")
    return value


@click.group()
def operators() -> None:
    """Admins of the console. 控制台的管理员。"""


@operators.command("invite")
@click.argument("email", callback=validate_email)
@click.option(
    "--role",
    type=ROLE,
    required=True,
    help="platform: all tenants; tenant_admin: one tenant; tenant_reader: one tenant, read only. "
    "platform 管理整个服务；tenant_admin 管理一个租户；tenant_reader 只读。",
)
@click.option("--tenant", callback=validate_slug, help="The slug of the tenant. 所属租户。")
@with_appcontext
@report_errors
def invite(email: str, role: str, tenant: str | None) -> None:
    """Invite an operator and show the link that sets the password. 邀请管理员。"""
    if (role == "platform") != (tenant is None):
        raise click.UsageError(
            "A tenant's operator needs --tenant, a platform's has none. "
            "租户管理员须指定 --tenant，平台管理员不能指定。"
        )
    _show_link(service.invite_operator(OPERATOR, email, role, tenant))


@operators.command("reset")
@click.argument("email", callback=validate_email)
@click.option(
    "--even-last",
    is_flag=True,
    help="Also reset the last platform admin who can sign in. Until the link is used, no platform "
    "admin can sign in. If the link is lost, run this command again. "
    "即使对方是最后一个能登录的平台管理员也重置：在链接被使用之前，没有平台管理员能登录；"
    "链接丢失时请再次运行本命令。",
)
@with_appcontext
@report_errors
def reset(email: str, even_last: bool) -> None:
    """Remove an operator's password, end all sessions and print a new invitation. 重置管理员。

    One-time codes stay enabled.
    """
    operator_id = listed_operators.find_operator_id(email)
    _show_link(service.reset_operator(OPERATOR, operator_id, even_last=even_last))


@operators.command("remove-codes")
@click.argument("email", callback=validate_email)
@click.confirmation_option(
    prompt="Remove the one-time codes? The password alone is then enough to sign in. "
    "确定移除动态验证码？此后仅凭密码即可登录",
    help="Skip the confirmation. 不询问确认。",
)
@with_appcontext
@report_errors
def remove_codes(email: str) -> None:
    """Remove an operator's one-time codes and recovery codes. 移除动态验证码。

    All sessions of the operator end. The password alone is then enough to sign in.
    """
    service.remove_operator_codes(OPERATOR, listed_operators.find_operator_id(email))
    show(f"Removed the one-time codes of {email}. 已移除 {email} 的动态验证码。")


@operators.command("end-sessions")
@click.confirmation_option(
    prompt="End the sessions of all operators? 确定结束所有管理员的登录会话？",
    help="Skip the confirmation. 不询问确认。",
)
@with_appcontext
@report_errors
def end_sessions() -> None:
    """End the sessions of all operators in the console and the admin API. 结束所有管理员的登录。"""
    count = service.end_all_operator_sessions(OPERATOR)
    show(f"{count} sessions ended. 已结束 {count} 个登录会话。")


def _show_link(invitation: str) -> None:
    show(f"/console/invitation#{invitation}")
    click.echo(
        "Open this path of the service within 3 days; it works once. "
        "请在 3 天内打开服务的这个路径，仅可使用一次。",
        err=True,
    )


@operators.command("disable")
@click.argument("email", callback=validate_email)
@with_appcontext
@report_errors
def disable(email: str) -> None:
    """Disable an operator. All sessions of the operator end. 停用管理员。"""
    service.set_operator_status(OPERATOR, listed_operators.find_operator_id(email), "disabled")
    show(f"Disabled {email}. 已停用 {email}。")


@operators.command("enable")
@click.argument("email", callback=validate_email)
@with_appcontext
@report_errors
def enable(email: str) -> None:
    """Enable an operator. 启用管理员。"""
    service.set_operator_status(OPERATOR, listed_operators.find_operator_id(email), "active")
    show(f"Enabled {email}. 已启用 {email}。")


@operators.command("list")
@with_appcontext
@report_errors
def list_() -> None:
    """List operators: e-mail, role, tenant, status, codes, last sign-in. 列出管理员。"""
    for one in listed_operators.list_operators():
        status = "invited" if one.is_invited and one.status == "active" else one.status
        seen = one.signed_in_at.isoformat(timespec="seconds") if one.signed_in_at else "-"
        codes = "codes" if one.asks_code else "-"
        show(one.email, one.role, one.tenant_slug or "-", status, codes, seen)

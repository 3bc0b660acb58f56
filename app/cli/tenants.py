"""Commands about tenants."""

from datetime import timedelta

import click
from flask.cli import with_appcontext

from app.cli.reports import failing as failing_output
from app.cli.reports.overview import rows_of
from app.cli.terminal import report_errors, show, validate_name, validate_slug
from app.services.apps import tenants as service
from app.services.tenant_admin.failures import get_failures_of
from app.services.tenant_admin.overview import get_overview_of

POLICY = click.Choice(["bind", "refuse"])


@click.group()
def tenants() -> None:
    """Tenants: organisations with their own users. 租户。"""


@tenants.command("add")
@click.argument("slug", callback=validate_slug)
@click.option("--name", required=True, callback=validate_name, help="The display name. 名称。")
@click.option(
    "--phone-owner",
    type=POLICY,
    default="bind",
    help="If the owner of a phone number has another WeChat identity in the app: bind or refuse. "
    "手机号的用户在该小程序已绑定其他微信时：bind 绑定（默认），refuse 拒绝。",
)
@with_appcontext
@report_errors
def add(slug: str, name: str, phone_owner: str) -> None:
    """Add a tenant. 新增租户。"""
    service.add_tenant(slug, name, phone_owner)
    show(f"Added tenant {slug}. 已新增租户 {slug}。")


@tenants.command("list")
@with_appcontext
@report_errors
def list_() -> None:
    """List tenants: slug, status, phone-owner policy, grace, audit and visitor days, name.

    列出租户。
    """
    for tenant in service.list_tenants():
        days = (tenant.grace_days, tenant.audit_days, tenant.visitor_days)
        show(tenant.slug, tenant.status, tenant.phone_owner_policy, *days, tenant.name)


@tenants.command("set")
@click.argument("slug", callback=validate_slug)
@click.option(
    "--phone-owner",
    "phone_owner_policy",
    type=POLICY,
    help="If the owner of a phone number has another WeChat identity in the app: bind, or refuse, "
    "because the number may have been reassigned. "
    "手机号的用户在该小程序已绑定其他微信时：bind 绑定，refuse 拒绝。",
)
@click.option(
    "--grace-days",
    type=click.IntRange(0, 90),
    help="Days in which a login reopens a closed account. 注销后可反悔的天数。",
)
@click.option(
    "--audit-days",
    type=click.IntRange(180, 3650),
    help="Days for which audit events are kept. 审计记录保留天数。",
)
@click.option(
    "--visitor-days",
    type=click.IntRange(1, 3650),
    help="Days after the last login until a WeChat identity that belongs to no user is erased. "
    "未绑定用户的微信身份，最后一次登录后保留的天数。",
)
@with_appcontext
@report_errors
def set_(
    slug: str,
    phone_owner_policy: str | None,
    grace_days: int | None,
    audit_days: int | None,
    visitor_days: int | None,
) -> None:
    """Change a tenant. The change applies to the next request. 修改租户设置，立即生效。"""
    settings = service.TenantSettings(
        phone_owner_policy=phone_owner_policy,
        grace_days=grace_days,
        audit_days=audit_days,
        visitor_days=visitor_days,
    )
    if not settings.given():
        raise click.UsageError("Say what to change; see --help. 请指明要修改的内容，见 --help。")
    service.change_tenant(slug, settings)
    show(f"Changed tenant {slug}. 已修改租户 {slug}。")


@tenants.command("overview")
@click.argument("slug", callback=validate_slug)
@click.option(
    "--days",
    type=click.IntRange(1, 400),
    default=30,
    help="Number of days including today; 30 by default. 统计天数，含今天，默认 30 天。",
)
@with_appcontext
@report_errors
def overview(slug: str, days: int) -> None:
    """Show logins, new users, phones, failures and WeChat's response times. 租户概览。

    Covers today, the whole period, each day and each app. 今日及近期合计，按天、按小程序列出。
    """
    for row in rows_of(get_overview_of(slug, days), days):
        show(*row)


@tenants.command("failing")
@click.option(
    "--since",
    callback=failing_output.validate_period,
    default="10m",
    help="The period: 10m, 2h or 1d, up to 24 hours; 10m by default. "
    "统计的时间范围，如 10m、2h、1d，最长 24 小时，默认 10m。",
)
@click.option("--tenant", callback=validate_slug, help="Only this tenant. 只看该租户。")
@click.option("--json", "as_json", is_flag=True, help="Print JSON. 输出 JSON。")
@click.pass_context
@with_appcontext
@report_errors
def failing(context: click.Context, since: timedelta, tenant: str | None, as_json: bool) -> None:
    """Show which mini-programs fail, since when, why and what to do. 故障排查。

    The exit code is 1 if something fails. Times are in UTC. The last few seconds may be missing.
    有故障时退出码为 1；时间为 UTC；最近几秒的数据可能尚未计入。
    """
    report = get_failures_of(tenant, since)
    if as_json:
        click.echo(failing_output.json_of(report))
    else:
        for row in failing_output.rows_of(report):
            show(*row)
    context.exit(1 if report.failing else 0)

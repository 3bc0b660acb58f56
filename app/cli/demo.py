"""The command that adds the demo data of `make run`."""

import contextlib
from datetime import timedelta

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_migrate import upgrade

from app.cli.terminal import report_errors_without_key_check
from app.errors import AccountExists, AppExists, AppTaken, OperatorExists, TenantExists
from app.services import audit
from app.services.apps import apps, tenants
from app.services.encryption.key_proofs import check_keys
from app.services.operators import operators
from app.services.principals import Device
from app.services.sessions import aging
from app.services.users import users
from config.development.demo import OPERATOR, TENANTS, DemoOperator, DemoTenant


@click.command()
@click.option("--migrate", is_flag=True, help="Migrate the database first. 先迁移。")
@click.option(
    "--age-sessions",
    type=click.IntRange(1, 10_000),
    metavar="HOURS",
    help="Add nothing, and make the sessions this much older. 不添加数据，使会话提前老化。",
)
@with_appcontext
@report_errors_without_key_check
def demo(migrate: bool, age_sessions: int | None) -> None:
    """Add missing demo tenants, apps, users and the demo operator. 添加演示数据。

    The demo secrets are public, so the command fails in production.
    """
    if current_app.config["WXPASS_PRODUCTION"]:
        raise click.ClickException("Demo data is for development only. 演示数据仅用于开发环境。")
    if age_sessions is not None:
        for tenant in TENANTS:
            aging.age_sessions(tenant.slug, timedelta(hours=age_sessions))
        return
    if migrate:
        upgrade()
    check_keys()
    for tenant in TENANTS:
        _add(tenant)
    _add_operator(OPERATOR)


def _add(tenant: DemoTenant) -> None:
    with contextlib.suppress(TenantExists):
        tenants.add_tenant(tenant.slug, tenant.name)
    for app in tenant.apps:
        secrets = (app.secret, app.push_token, app.encoding_aes_key)
        new = apps.NewApp(app.appid, app.name, app.registration_policy, "json", *secrets)
        with contextlib.suppress(AppExists, AppTaken):
            apps.add_app(tenant.slug, new)
    for user in tenant.users:
        with contextlib.suppress(AccountExists):
            users.add_user(tenant.slug, user.account, user.password, user.phone)


def _add_operator(operator: DemoOperator) -> None:
    with contextlib.suppress(OperatorExists):
        invitation = operators.invite_operator(audit.OPERATOR, operator.email, "platform", None)
        operators.accept_invitation(invitation, operator.password, Device(None, None))

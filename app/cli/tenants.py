"""Commands about tenants."""

import click
from flask.cli import with_appcontext

from app.cli.terminal import a_name, a_slug, failures_told, show
from app.services import tenants as service


@click.group()
def tenants() -> None:
    """Organisations with users of their own. 租户。"""


@tenants.command("add")
@click.argument("slug", callback=a_slug)
@click.option("--name", required=True, callback=a_name, help="The name people know it by. 名称。")
@with_appcontext
@failures_told
def add(slug: str, name: str) -> None:
    """Add a tenant. 新增租户。"""
    service.add_tenant(slug, name)
    show(f"Added tenant {slug}. 已新增租户 {slug}。")


@tenants.command("list")
@with_appcontext
@failures_told
def list_() -> None:
    """List the tenants: slug, status, name. 列出租户。"""
    for tenant in service.list_tenants():
        show(tenant.slug, tenant.status, tenant.name)

"""Commands about tenants."""

import re

import click
from flask.cli import with_appcontext

from app.cli.terminal import failures_told
from app.services import tenants as service

SLUG = re.compile(r"[a-z0-9](-?[a-z0-9])*")


def a_slug(_: click.Context, __: click.Parameter, value: str) -> str:
    """Check that a slug can stand in an address."""
    if len(value) > 40 or not SLUG.fullmatch(value):
        raise click.BadParameter("use 1 to 40 lower-case letters, digits and single hyphens")
    return value


@click.group()
def tenants() -> None:
    """Organisations with users of their own. 租户。"""


@tenants.command("add")
@click.argument("slug", callback=a_slug)
@click.option("--name", required=True, help="The name people know it by. 名称。")
@with_appcontext
@failures_told
def add(slug: str, name: str) -> None:
    """Add a tenant. 新增租户。"""
    service.add_tenant(slug, name)
    click.echo(f"Added tenant {slug}. 已新增租户 {slug}。")


@tenants.command("list")
@with_appcontext
@failures_told
def list_() -> None:
    """List the tenants: slug, status, name. 列出租户。"""
    for tenant in service.list_tenants():
        click.echo(f"{tenant.slug}\t{tenant.status}\t{tenant.name}")

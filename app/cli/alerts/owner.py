"""The options that select the alerts of a tenant, or of the platform."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from app.cli.terminal import validate_slug
from app.services.alerts.owner import Owner
from app.services.apps.tenants import tenant_id_of
from app.services.audit import OPERATOR

F = TypeVar("F", bound=Callable[..., Any])


def owner_options(command: F) -> F:
    """Add the options --tenant and --platform to a command."""
    command = click.option("--tenant", callback=validate_slug, help="The tenant. 租户。")(command)
    return click.option(
        "--platform", is_flag=True, help="The platform instead of a tenant. 平台，而不是租户。"
    )(command)


def owner_of(tenant: str | None, platform: bool) -> Owner:
    """Return the tenant or the platform. Raise UsageError or TenantUnknown."""
    if platform == (tenant is not None):
        raise click.UsageError("Use either --tenant or --platform. 请指定 --tenant 或 --platform。")
    return Owner(OPERATOR, None if tenant is None else tenant_id_of(tenant))

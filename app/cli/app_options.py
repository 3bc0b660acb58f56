"""Options and argument validation shared by the commands about mini-programs."""

import re

import click

from app.cli.terminal import read_secret, validate_slug
from app.errors import AppUnknown
from app.models.registration import REGISTRATION_POLICIES
from app.services.apps import apps as service
from app.services.apps.listed_apps import list_apps

REGISTRATION = click.Choice(REGISTRATION_POLICIES)
# Selects a claim, because several tenants may claim the same appid before it is verified.
claim_tenant_option = click.option(
    "--tenant",
    callback=validate_slug,
    help="The tenant that added it, if several did and none is verified. "
    "录入它的租户；多个租户录入且均未核对时须指明。",
)
secret_stdin = click.option(
    "--secret-stdin",
    is_flag=True,
    help="Read the AppSecret from standard input instead of a prompt. 从标准输入读取 AppSecret。",
)


def validate_appid(_: click.Context, __: click.Parameter, value: str) -> str:
    """Return the appid, or raise BadParameter if its length or characters are not allowed."""
    if not service.APP_KEY.fullmatch(value):
        raise click.BadParameter(
            "an appid has 1 to 64 letters, digits, hyphens and underscores. "
            "appid 须为 1 到 64 个字母、数字、连字符或下划线。"
        )
    return value


def validate_new_appid(_: click.Context, __: click.Parameter, value: str) -> str:
    """Return the appid, or raise BadParameter unless it has the format that WeChat issues."""
    if not service.NEW_APPID.fullmatch(value):
        raise click.BadParameter(
            "an appid is wx followed by 16 letters or digits. appid 由 wx 和 16 位字母或数字组成。"
        )
    return value


def claimant_of(appid: str, tenant: str | None) -> str | None:
    """Return the slug of the tenant that claims an appid, or None for a verified mini-program.

    Raise AppUnknown if the appid is neither verified nor claimed, and UsageError if several tenants
    claim it and `tenant` is None.
    """
    found = list_apps(tenant, appid)
    if not all(listed.is_claim for listed, _ in found):
        return None
    claimants = [slug for _, slug in found]
    if not claimants:
        raise AppUnknown
    if len(claimants) > 1:
        raise click.UsageError(
            "Several tenants have entered this appid: say which with --tenant. "
            "多个租户录入了此 appid，请用 --tenant 指明。"
        )
    return claimants[0]


def read_valid_secret(what: str, pattern: re.Pattern[str], from_stdin: bool) -> str:
    """Read a secret from standard input or a prompt. Raise UsageError if it is malformed."""
    secret = read_secret(what, from_stdin=from_stdin)
    if not pattern.fullmatch(secret):
        raise click.UsageError(
            f"This is no {what}: copy it from WeChat's console as it is there. "
            f"{what} 格式不正确，请从微信公众平台原样复制。"
        )
    return secret

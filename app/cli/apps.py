"""Commands about mini-programs."""

import re
from typing import Any, Literal

import click
from flask.cli import with_appcontext

from app.cli.app_options import (
    REGISTRATION,
    claim_tenant_option,
    claimant_of,
    read_valid_secret,
    secret_stdin,
    validate_appid,
)
from app.cli.app_ownership import add, move, release, remove, verify
from app.cli.terminal import report_errors, show, validate_name, validate_slug
from app.not_given import NOT_GIVEN, NotGiven
from app.schemas.shapes import HIGHEST_CALL_LIMIT, HIGHEST_SESSION_LIMIT
from app.services import audit
from app.services.apps import app_secrets, claims
from app.services.apps import apps as service
from app.services.apps.changes import SecretChanges
from app.services.apps.listed_apps import Listed, list_apps
from app.services.apps.tenants import tenant_id_of

NUMBER = re.compile(r"[0-9]{1,9}")


class LimitType(click.ParamType[int | str]):
    """A parameter type: an integer from 1 to `highest`, or one of the keywords."""

    def __init__(self, highest: int, *words: str) -> None:
        self.highest = highest
        self.words = words
        self.name = "|".join(["N", *words])

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """Return the integer or the keyword. Raise BadParameter for any other value."""
        if value in self.words:
            return str(value)
        if NUMBER.fullmatch(value) and 1 <= int(value) <= self.highest:
            return int(value)
        english = " or ".join([f"use a number from 1 to {self.highest}", ", ".join(self.words)])
        chinese = " 或 ".join([f"须为 1 到 {self.highest} 之间的整数", "、".join(self.words)])
        raise click.BadParameter(f"{english}. {chinese}。")


@click.group()
def apps() -> None:
    """Mini-programs and their secrets. 小程序及其密钥。"""


for _command in (add, verify, remove, release, move):
    apps.add_command(_command)


@apps.command("list")
@click.option(
    "--tenant", callback=validate_slug, help="Only mini-programs of this tenant. 只列出该租户。"
)
@with_appcontext
@report_errors
def list_(tenant: str | None) -> None:
    """List mini-programs: appid, tenant, registration, state, session limit, name. 列出小程序。

    Pending and closed mini-programs are not verified and serve no requests.
    """
    for app, slug in list_apps(tenant):
        limit = app.session_limit or "default"
        show(app.appid, slug, app.registration, _state(app), limit, app.name)


def _state(app: Listed) -> str:
    if app.state == "active":
        return "enabled" if app.enabled else "disabled"
    return app.state


@apps.command("set")
@click.argument("appid", callback=validate_appid)
@click.option("--name", callback=validate_name, help="The display name. 名称。")
@click.option(
    "--registration",
    type=REGISTRATION,
    help="When a person is registered as a user. 何时自动注册用户。",
)
@click.option(
    "--session-limit",
    type=LimitType(HIGHEST_SESSION_LIMIT, "off", "default"),
    help="Active sessions per user; a new login ends the oldest. `default` is 50, "
    "`off` is no limit. 每个用户在该小程序最多同时保持的登录数，超出时最早的失效；"
    "default 为 50，off 不限制。",
)
@click.option(
    "--wechat-call-limit",
    type=LimitType(HIGHEST_CALL_LIMIT, "default"),
    help="Calls to WeChat that may be in flight in one process. `default` is "
    "WECHAT_CALLS_PER_APP. 每个进程中该小程序同时进行的微信调用上限。",
)
@with_appcontext
@report_errors
def set_(
    appid: str,
    name: str | None,
    registration: str | None,
    session_limit: int | str | None,
    wechat_call_limit: int | str | None,
) -> None:
    """Change a mini-program. The change applies to the next request. 修改小程序设置，立即生效。"""
    if all(one is None for one in (name, registration, session_limit, wechat_call_limit)):
        raise click.UsageError("Say what to change; see --help. 请指明要修改的内容，见 --help。")
    service.change_app(
        appid,
        name=name,
        registration=registration,
        session_limit=_limit_of(session_limit),
        wechat_call_limit=_call_limit_of(wechat_call_limit),
    )
    show(f"Changed {appid}. 已修改 {appid}。")


def _limit_of(option: int | str | None) -> int | Literal["off"] | NotGiven | None:
    """Convert the value of `--session-limit`. None is the default, NOT_GIVEN is no change."""
    if option is None:
        return NOT_GIVEN
    if option == "default":
        return None
    return "off" if isinstance(option, str) else option


def _call_limit_of(option: int | str | None) -> int | NotGiven | None:
    """Convert the value of `--wechat-call-limit`. None is the default, NOT_GIVEN is no change."""
    if option is None:
        return NOT_GIVEN
    return option if isinstance(option, int) else None


@apps.command("set-secret")
@click.argument("appid", callback=validate_appid)
@claim_tenant_option
@secret_stdin
@with_appcontext
@report_errors
def set_secret(appid: str, tenant: str | None, secret_stdin: bool) -> None:
    """Replace a mini-program's AppSecret. The new one is used immediately. 更换 AppSecret。"""
    claimant = claimant_of(appid, tenant)
    secret = read_valid_secret("AppSecret", service.APP_SECRET, secret_stdin)
    if claimant is None:
        had_next = app_secrets.set_secret(appid, secret)
    else:
        had_next = False
        tenant_id = tenant_id_of(claimant)
        claims.replace_claim_secrets(audit.OPERATOR, tenant_id, appid, SecretChanges(secret=secret))
    show(f"Replaced the AppSecret of {appid}. 已更换 {appid} 的 AppSecret。")
    if had_next:
        show("The next AppSecret was removed. 预设的下一个 AppSecret 已取消。")


@apps.command("set-next-secret")
@click.argument("appid", callback=validate_appid)
@secret_stdin
@click.option("--remove", is_flag=True, help="Remove the next AppSecret. 取消预设。")
@with_appcontext
@report_errors
def set_next_secret(appid: str, secret_stdin: bool, remove: bool) -> None:
    """Set the AppSecret to use once WeChat rejects the current one. 预设下一个 AppSecret。

    Logins then continue to work while the AppSecret is reset in WeChat's console.
    """
    secret = None if remove else read_valid_secret("AppSecret", service.APP_SECRET, secret_stdin)
    app_secrets.set_next_secret(appid, secret)
    done = "Removed 已取消" if remove else "Keeping 已保存"
    show(f"{done}: next AppSecret of {appid}. {appid} 的下一个 AppSecret。")


@apps.command("set-push")
@click.argument("appid", callback=validate_appid)
@click.option(
    "--encoding-aes-key",
    is_flag=True,
    help="Also read the EncodingAESKey. Without it, plain-text pushes are accepted. "
    "同时读取 EncodingAESKey；不加则按明文模式接收。",
)
@click.option(
    "--secret-stdin",
    is_flag=True,
    help="Read the secrets from standard input, one per line, instead of a prompt. "
    "从标准输入读取，每行一个。",
)
@with_appcontext
@report_errors
def set_push(appid: str, encoding_aes_key: bool, secret_stdin: bool) -> None:
    """Replace the Token and EncodingAESKey of the message push. 更换消息推送的密钥。"""
    token = read_valid_secret("Token", service.PUSH_TOKEN, secret_stdin)
    key = (
        read_valid_secret("EncodingAESKey", service.ENCODING_AES_KEY, secret_stdin)
        if encoding_aes_key
        else None
    )
    service.set_app_push(appid, token, key)
    show(f"Changed the message push of {appid}. 已更换 {appid} 的消息推送密钥。")


@apps.command("disable")
@click.argument("appid", callback=validate_appid)
@with_appcontext
@report_errors
def disable(appid: str) -> None:
    """Disable a mini-program. Its logins are refused immediately. 停用小程序。"""
    service.set_app_enabled(appid, False)
    show(f"Disabled {appid}. 已停用 {appid}。")


@apps.command("enable")
@click.argument("appid", callback=validate_appid)
@with_appcontext
@report_errors
def enable(appid: str) -> None:
    """Enable a mini-program. 启用小程序。"""
    service.set_app_enabled(appid, True)
    show(f"Enabled {appid}. 已启用 {appid}。")

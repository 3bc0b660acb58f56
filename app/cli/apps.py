"""Commands about mini-programs."""

import re

import click
from flask.cli import with_appcontext

from app.cli.terminal import failures_told, read_secret
from app.services import apps as service

ENCODING_AES_KEY = re.compile(r"[A-Za-z0-9]{43}")


def an_appid(_: click.Context, __: click.Parameter, value: str) -> str:
    """Check that an appid can be one."""
    if not service.APPID.fullmatch(value):
        raise click.BadParameter("an appid has 1 to 64 letters, digits, hyphens and underscores")
    return value


@click.group()
def apps() -> None:
    """Mini-programs and their secrets. 小程序及其密钥。"""


@apps.command("add")
@click.argument("appid", callback=an_appid)
@click.option("--tenant", required=True, help="The slug of its tenant. 所属租户。")
@click.option("--name", required=True, help="The name people know it by. 名称。")
@click.option(
    "--registration",
    type=click.Choice(["on_login", "on_phone", "closed"]),
    default="on_phone",
    show_default=True,
    help="When a stranger becomes a user: at the first login, at the first verified phone, or "
    "never. 何时自动注册用户。",
)
@click.option(
    "--data-format",
    type=click.Choice(["json", "xml"], case_sensitive=False),
    default="json",
    show_default=True,
    help="The format of WeChat's message push. 消息推送的数据格式。",
)
@click.option(
    "--secret-stdin",
    is_flag=True,
    help="Read the AppSecret from a line of standard input; without it you are asked. "
    "从标准输入读取 AppSecret。",
)
@click.option(
    "--push-token",
    is_flag=True,
    help="Also read the Token of the message push, the same way. 同样读取消息推送 Token。",
)
@click.option(
    "--encoding-aes-key",
    is_flag=True,
    help="Also read the EncodingAESKey, the same way and last. 同样读取 EncodingAESKey。",
)
@with_appcontext
@failures_told
def add(
    appid: str,
    tenant: str,
    secret_stdin: bool,
    push_token: bool,
    encoding_aes_key: bool,
    **facts: str,
) -> None:
    """Add a mini-program to a tenant; it works at once. 新增小程序，立即生效。

    Secrets come from a prompt or from standard input, one a line: the AppSecret, then the push
    Token, then the EncodingAESKey.
    """
    new = service.NewApp(
        appid,
        secret=read_secret("AppSecret", from_stdin=secret_stdin),
        push_token=read_secret("Token", from_stdin=secret_stdin) if push_token else None,
        encoding_aes_key=_read_aes_key(secret_stdin) if encoding_aes_key else None,
        **facts,
    )
    service.add_app(tenant, new)
    click.echo(f"Added {appid} to {tenant}. 已为 {tenant} 新增 {appid}。")


def _read_aes_key(from_stdin: bool) -> str:
    key = read_secret("EncodingAESKey", from_stdin=from_stdin)
    if not ENCODING_AES_KEY.fullmatch(key):
        raise click.UsageError("An EncodingAESKey has 43 letters and digits.")
    return key


@apps.command("list")
@click.option("--tenant", help="Only this tenant's. 只列出该租户。")
@with_appcontext
@failures_told
def list_(tenant: str | None) -> None:
    """List mini-programs: appid, tenant, registration, state, name. 列出小程序。"""
    for app, slug in service.list_apps(tenant):
        state = "enabled" if app.enabled else "disabled"
        click.echo(f"{app.appid}\t{slug}\t{app.registration}\t{state}\t{app.name}")


@apps.command("disable")
@click.argument("appid")
@with_appcontext
@failures_told
def disable(appid: str) -> None:
    """Switch a mini-program off; its logins are refused at once. 停用小程序。"""
    service.set_app_enabled(appid, False)
    click.echo(f"Disabled {appid}. 已停用 {appid}。")


@apps.command("enable")
@click.argument("appid")
@with_appcontext
@failures_told
def enable(appid: str) -> None:
    """Switch a mini-program on again. 启用小程序。"""
    service.set_app_enabled(appid, True)
    click.echo(f"Enabled {appid}. 已启用 {appid}。")

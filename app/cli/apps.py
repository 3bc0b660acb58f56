"""Commands about mini-programs."""

import re
import sys
from collections.abc import Sequence
from typing import Any

import click
from flask.cli import with_appcontext

from app.cli.terminal import a_name, a_slug, failures_told, read_secret, show
from app.languages import in_both_languages
from app.schemas.shapes import HIGHEST_SESSION_LIMIT
from app.services import app_secrets
from app.services import apps as service
from app.services.app_verification import Verdict, verify_app

NUMBER = re.compile(r"[0-9]{1,9}")


def an_appid(_: click.Context, __: click.Parameter, value: str) -> str:
    """Check that an appid can be one."""
    if not service.APPID.fullmatch(value):
        raise click.BadParameter(
            "an appid has 1 to 64 letters, digits, hyphens and underscores. "
            "appid 须为 1 到 64 个字母、数字、连字符或下划线。"
        )
    return value


class SessionLimit(click.ParamType[int | str]):
    """A number of sessions from 1 up, `off` or `default`."""

    name = "N|off|default"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """Return the number or the word."""
        if value in ("off", "default"):
            return str(value)
        if NUMBER.fullmatch(value) and 1 <= int(value) <= HIGHEST_SESSION_LIMIT:
            return int(value)
        highest = HIGHEST_SESSION_LIMIT
        raise click.BadParameter(
            f"use a number from 1 to {highest}, off or default. "
            f"须为 1 到 {highest} 之间的整数、off 或 default。"
        )


# Asked for in this order, after the AppSecret.
PUSH_SECRETS = (
    ("push_token", "Token", service.PUSH_TOKEN),
    ("encoding_aes_key", "EncodingAESKey", service.ENCODING_AES_KEY),
)
REGISTRATION = click.Choice(["on_login", "on_phone", "closed"])


@click.group()
def apps() -> None:
    """Mini-programs and their secrets. 小程序及其密钥。"""


@apps.command("add")
@click.argument("appid", callback=an_appid)
@click.option("--tenant", required=True, callback=a_slug, help="The slug of its tenant. 所属租户。")
@click.option("--name", required=True, callback=a_name, help="The name people know it by. 名称。")
@click.option(
    "--registration",
    type=REGISTRATION,
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
@click.option(
    "--no-verify",
    is_flag=True,
    help="Do not ask WeChat whether appid and AppSecret are right. 不向微信核对。",
)
@with_appcontext
@failures_told
def add(
    appid: str,
    tenant: str,
    secret_stdin: bool,
    no_verify: bool,
    **facts: Any,
) -> None:
    """Add a mini-program to a tenant; it works at once. 新增小程序，立即生效。

    It is added whatever WeChat says of it, which is shown. Secrets come from a prompt or from
    standard input, one a line: the AppSecret, then the push Token, then the EncodingAESKey.
    """
    facts["secret"] = _read("AppSecret", service.APP_SECRET, secret_stdin)
    for name, what, pattern in PUSH_SECRETS:
        facts[name] = _read(what, pattern, secret_stdin) if facts[name] else None
    service.add_app(tenant, service.NewApp(appid, **facts))
    show(f"Added {appid} to {tenant}. 已为 {tenant} 新增 {appid}。")
    if not no_verify:
        _tell(verify_app(appid))


def _tell(verdicts: Sequence[Verdict]) -> None:
    for one in verdicts:
        name = "AppSecret" if one.which == "current" else "next AppSecret 下一个 AppSecret"
        said = one.fill(in_both_languages(one.advice))
        show(": ".join([name, str(one.errcode), said] if one.errcode else [name, said]))


def _read(what: str, pattern: re.Pattern[str], from_stdin: bool) -> str:
    secret = read_secret(what, from_stdin=from_stdin)
    if not pattern.fullmatch(secret):
        raise click.UsageError(
            f"This is no {what}: copy it from WeChat's console as it is there. "
            f"{what} 格式不正确，请从微信公众平台原样复制。"
        )
    return secret


@apps.command("list")
@click.option("--tenant", callback=a_slug, help="Only this tenant's. 只列出该租户。")
@with_appcontext
@failures_told
def list_(tenant: str | None) -> None:
    """List mini-programs: appid, tenant, registration, state, session limit, name. 列出小程序。"""
    for app, slug in service.list_apps(tenant):
        state = "enabled" if app.enabled else "disabled"
        limit = app.session_limit or "default"
        show(app.appid, slug, app.registration, state, limit, app.name)


@apps.command("set")
@click.argument("appid", callback=an_appid)
@click.option("--name", callback=a_name, help="The name people know it by. 名称。")
@click.option(
    "--registration",
    type=REGISTRATION,
    help="When a stranger becomes a user from now on. 何时自动注册用户。",
)
@click.option(
    "--session-limit",
    type=SessionLimit(),
    help="How many active sessions a user may have in the app; the oldest ends. `default` is 50, "
    "`off` is no limit. 每个用户在该小程序最多同时保持的登录数，超出时最早的失效；"
    "default 为 50，off 不限制。",
)
@with_appcontext
@failures_told
def set_(appid: str, **settings: Any) -> None:
    """Change a mini-program, for the very next request. 修改小程序设置，立即生效。"""
    given = {name: value for name, value in settings.items() if value is not None}
    if not given:
        raise click.UsageError("Say what to change; see --help. 请指明要修改的内容，见 --help。")
    if given.get("session_limit") == "default":
        given["session_limit"] = None
    service.change_app(appid, **given)
    show(f"Changed {appid}. 已修改 {appid}。")


@apps.command("set-secret")
@click.argument("appid", callback=an_appid)
@click.option(
    "--secret-stdin",
    is_flag=True,
    help="Read the AppSecret from a line of standard input; without it you are asked. "
    "从标准输入读取 AppSecret。",
)
@with_appcontext
@failures_told
def set_secret(appid: str, secret_stdin: bool) -> None:
    """Replace a mini-program's AppSecret; the new one is used at once. 更换 AppSecret。"""
    had_next = app_secrets.set_secret(appid, _read("AppSecret", service.APP_SECRET, secret_stdin))
    show(f"Replaced the AppSecret of {appid}. 已更换 {appid} 的 AppSecret。")
    if had_next:
        show("The next AppSecret is not kept any longer. 预设的下一个 AppSecret 已取消。")


@apps.command("set-next-secret")
@click.argument("appid", callback=an_appid)
@click.option(
    "--secret-stdin",
    is_flag=True,
    help="Read the AppSecret from a line of standard input; without it you are asked. "
    "从标准输入读取 AppSecret。",
)
@click.option("--remove", is_flag=True, help="Keep none after all. 取消预设。")
@with_appcontext
@failures_told
def set_next_secret(appid: str, secret_stdin: bool, remove: bool) -> None:
    """Keep the AppSecret that is tried once WeChat rejects the one in use. 预设下一个 AppSecret。

    So nobody's login fails while it is reset in WeChat's console.
    """
    secret = None if remove else _read("AppSecret", service.APP_SECRET, secret_stdin)
    app_secrets.set_next_secret(appid, secret)
    done = "Removed 已取消" if remove else "Keeping 已保存"
    show(f"{done}: next AppSecret of {appid}. {appid} 的下一个 AppSecret。")


@apps.command("set-push")
@click.argument("appid", callback=an_appid)
@click.option(
    "--encoding-aes-key",
    is_flag=True,
    help="Read the EncodingAESKey after the Token; without it pushes are taken in the clear. "
    "同时读取 EncodingAESKey；不加则按明文模式接收。",
)
@click.option(
    "--secret-stdin",
    is_flag=True,
    help="Read them from standard input, one a line; without it you are asked. "
    "从标准输入读取，每行一个。",
)
@with_appcontext
@failures_told
def set_push(appid: str, encoding_aes_key: bool, secret_stdin: bool) -> None:
    """Replace the Token and EncodingAESKey of the message push. 更换消息推送的密钥。"""
    token = _read("Token", service.PUSH_TOKEN, secret_stdin)
    key = (
        _read("EncodingAESKey", service.ENCODING_AES_KEY, secret_stdin)
        if encoding_aes_key
        else None
    )
    service.set_app_push(appid, token, key)
    show(f"Changed the message push of {appid}. 已更换 {appid} 的消息推送密钥。")


@apps.command("verify")
@click.argument("appid", callback=an_appid)
@with_appcontext
@failures_told
def verify(appid: str) -> None:
    """Ask WeChat whether appid and AppSecret are right, and say what to do. 向微信核对 AppSecret。

    Exit code 0 if WeChat accepts the AppSecret, or the next one; else 1.
    """
    verdicts = verify_app(appid)
    _tell(verdicts)
    if all(one.outcome != "right" for one in verdicts):
        sys.exit(1)


@apps.command("disable")
@click.argument("appid", callback=an_appid)
@with_appcontext
@failures_told
def disable(appid: str) -> None:
    """Switch a mini-program off; its logins are refused at once. 停用小程序。"""
    service.set_app_enabled(appid, False)
    show(f"Disabled {appid}. 已停用 {appid}。")


@apps.command("enable")
@click.argument("appid", callback=an_appid)
@with_appcontext
@failures_told
def enable(appid: str) -> None:
    """Switch a mini-program on again. 启用小程序。"""
    service.set_app_enabled(appid, True)
    show(f"Enabled {appid}. 已启用 {appid}。")

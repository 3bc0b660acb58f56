"""Commands about the channels of alerts."""

from uuid import UUID

import click
from flask.cli import with_appcontext

from app.cli.alerts.owner import owner_of, owner_options
from app.cli.terminal import read_secret, report_errors, show, validate_name
from app.languages import in_both_languages
from app.services.alerts import channels as service

KINDS = click.Choice(["email", "wecom", "dingtalk", "webhook"])


@click.group()
def alerts() -> None:
    """Alerts by e-mail, robot or webhook. 告警：邮件、群机器人或 Webhook。"""


@alerts.group()
def channels() -> None:
    """Channels that deliver alerts. 告警渠道。"""


@channels.command("add")
@owner_options
@click.option(
    "--kind",
    type=KINDS,
    required=True,
    help="email, wecom (企业微信群机器人), dingtalk (钉钉群机器人), webhook.",
)
@click.option("--name", required=True, callback=validate_name, help="A name. 名称。")
@click.option(
    "--language", type=click.Choice(["en", "zh"]), default="en", help="Of messages. 消息的语言。"
)
@click.option("--address", help="The e-mail address, for email only. 邮箱地址，仅用于 email。")
@click.option(
    "--signed",
    is_flag=True,
    help="Also read the secret of a DingTalk robot (SEC…) or webhook (whsec_…). "
    "同时读取钉钉加签密钥或 Webhook 密钥。",
)
@click.option(
    "--secret-stdin",
    is_flag=True,
    help="Read URL and secret from standard input, one per line, instead of a prompt. "
    "从标准输入读取地址和密钥，每行一个。",
)
@with_appcontext
@report_errors
def add(
    tenant: str | None,
    platform: bool,
    secret_stdin: bool,
    **options: str,
) -> None:
    """Add a channel, and print its id. 添加告警渠道。

    URLs contain a key, so they are read from a prompt or standard input. A webhook without
    --signed gets a new secret, which is printed once.
    """
    new = _new_channel(options, from_stdin=secret_stdin)
    added = service.add_channel(owner_of(tenant, platform), new)
    show(added.channel.id)
    if added.new_secret:
        show("Secret, shown only once 密钥（仅显示一次）:", added.new_secret)


def _new_channel(options: dict[str, str], *, from_stdin: bool) -> service.NewChannel:
    kind, address = options["kind"], options["address"]
    if (kind == "email") != bool(address):
        raise click.UsageError(
            "--address is for --kind email. --address 用于且仅用于 --kind email。"
        )
    if options["signed"] and kind not in ("dingtalk", "webhook"):
        raise click.UsageError(
            "--signed is for dingtalk and webhook. --signed 仅用于 dingtalk 和 webhook。"
        )
    target = address or read_secret("URL", from_stdin=from_stdin)
    secret = read_secret("secret", from_stdin=from_stdin) if options["signed"] else None
    return service.NewChannel(kind, options["name"], options["language"], target, secret)


@channels.command("list")
@owner_options
@with_appcontext
@report_errors
def list_(tenant: str | None, platform: bool) -> None:
    """List channels: id, kind, language, target, last success, last error, name. 列出告警渠道。"""
    for one in service.list_channels(owner_of(tenant, platform)):
        show(
            one.id,
            one.kind,
            one.language,
            one.shown,
            f"{one.delivered_at:%Y-%m-%d %H:%M}" if one.delivered_at else "-",
            one.last_error or "-",
            one.name,
        )


@channels.command("remove")
@click.argument("channel_id", type=click.UUID)
@owner_options
@with_appcontext
@report_errors
def remove(channel_id: UUID, tenant: str | None, platform: bool) -> None:
    """Remove a channel and its unsent messages. 删除告警渠道及其未发送的消息。"""
    service.remove_channel(owner_of(tenant, platform), channel_id)
    show(f"Removed {channel_id}. 已删除。")


@channels.command("test")
@click.argument("channel_id", type=click.UUID)
@owner_options
@with_appcontext
@report_errors
def test(channel_id: UUID, tenant: str | None, platform: bool) -> None:
    """Send a test message, and print the result. 发送测试消息。

    The exit code is 1 if the message was not delivered.
    """
    done = service.test_channel(owner_of(tenant, platform), channel_id)
    if done.delivered:
        show("Delivered. 已送达。")
        return
    advice = in_both_languages(done.advice) if done.advice else ""
    raise click.ClickException(f"{done.error}: {advice}")

"""Commands that list and mute alerts."""

from datetime import timedelta
from uuid import UUID

import click
from flask.cli import with_appcontext

from app.cli.alerts.owner import owner_of, owner_options
from app.cli.app_options import validate_appid
from app.cli.terminal import report_errors, show
from app.errors import AlertMuteUnknown
from app.schemas.shapes import ALERT_CONDITION
from app.services.alerts import alerts as service


def _validate_condition(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not ALERT_CONDITION.fullmatch(value):
        raise click.BadParameter("see `alerts list`. 参见 alerts list。")
    return value


def _validate_app(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> str | None:
    return None if value is None else validate_appid(context, parameter, value)


@click.command("list")
@owner_options
@click.option("--open", "only_open", is_flag=True, help="Only open alerts. 只列出未恢复的告警。")
@with_appcontext
@report_errors
def list_(tenant: str | None, platform: bool, only_open: bool) -> None:
    """List alerts and mutes. 列出告警和静音。

    Columns of an alert: id, state, condition, appid, since, muted until, reason. Columns of a mute:
    id, `mute`, condition, appid, until.
    """
    owner = owner_of(tenant, platform)
    for one in service.list_alerts(owner, "en", only_open=only_open):
        state = "open" if one.recovered_at is None else "recovered"
        muted = f"{one.muted_until:%Y-%m-%d %H:%M}" if one.muted_until else "-"
        since = f"{one.since:%Y-%m-%d %H:%M}"
        show(one.id, state, one.condition, one.appid or "-", since, muted, one.why)
    for mute in service.list_mutes(owner):
        until = f"{mute.until:%Y-%m-%d %H:%M}"
        show(mute.id, "mute", mute.condition or "*", mute.appid or "*", until)


@click.command("mute")
@owner_options
@click.option("--alert", type=click.UUID, help="The id of an open alert. 未恢复告警的编号。")
@click.option("--app", callback=_validate_app, help="Alerts of this appid. 该 appid 的告警。")
@click.option(
    "--condition", callback=_validate_condition, help="Alerts of this condition. 该条件的告警。"
)
@click.option(
    "--hours", type=click.IntRange(1, 720), required=True, help="1 to 720. 静音小时数，1 到 720。"
)
@with_appcontext
@report_errors
def mute(
    tenant: str | None,
    platform: bool,
    alert: UUID | None,
    app: str | None,
    condition: str | None,
    hours: int,
) -> None:
    """Suppress messages about an alert, an appid or a condition for some hours. 静音告警。"""
    owner, duration = owner_of(tenant, platform), timedelta(hours=hours)
    if (alert is None) == (app is None and condition is None):
        raise click.UsageError(
            "Use either --alert, or --app and --condition. "
            "请指定 --alert，或 --app 与 --condition。"
        )
    if alert is not None:
        until = service.mute_alert(owner, alert, duration)
    else:
        until = service.add_mute(owner, app, condition, duration).until
    show(f"Muted until {until:%Y-%m-%d %H:%M} UTC. 已静音。")


@click.command("unmute")
@click.argument("identity", metavar="ID", type=click.UUID)
@owner_options
@with_appcontext
@report_errors
def unmute(identity: UUID, tenant: str | None, platform: bool) -> None:
    """End the mute of an alert, or a mute, by the id in `alerts list`. 取消静音。"""
    owner = owner_of(tenant, platform)
    try:
        service.remove_mute(owner, identity)
    except AlertMuteUnknown:
        service.unmute_alert(owner, identity)
    show(f"Unmuted {identity}. 已取消静音。")

"""Commands about alerts and their channels."""

import pytest
from flask import Flask

from app.notifications import NotDelivered, Reason
from tests.cli.test_commands import Command, run
from tests.fixtures.personas import Reader
from tests.services.alerts.conftest import WECOM, Alerts

__all__ = ["run"]

ACME = ("--tenant", "acme")


@pytest.fixture
def alerts(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Alerts:
    """Alerts with a clock that stands still."""
    return Alerts(app, monkeypatch)


def add(run: Command, *options: str, typed: str = f"{WECOM}\n") -> object:
    """Add a WeCom robot of acme."""
    named = ("--kind", "wecom", "--name", "On call", *options)
    return run("alerts", "channels", "add", *ACME, *named, "--secret-stdin", stdin=typed)


def test_a_url_is_read_from_standard_input_and_never_shown(
    run: Command, rows: Reader, alerts: Alerts
) -> None:
    added = add(run)
    assert added.exit_code == 0, added.output
    listed = run("alerts", "channels", "list", *ACME)
    assert "qyapi.weixin.qq.com …4e88" in listed.output
    ((stored,),) = rows("SELECT target_sealed FROM alert_channels")
    for text in (added.output, listed.output, stored):
        assert "693a91f6" not in text
    assert run("alerts", "channels", "list", "--tenant", "globex").output == ""
    assert run("alerts", "channels", "list", "--platform").output == ""


@pytest.mark.parametrize(
    "url",
    ["https://evil.example/?key=693a91f6", "http://10.0.0.1/", WECOM.replace("https", "http")],
)
def test_an_invalid_url_is_refused_without_showing_it(
    run: Command, rows: Reader, alerts: Alerts, url: str
) -> None:
    refused = add(run, typed=f"{url}\n")
    assert refused.exit_code == 1
    assert "alert_channel_invalid" in refused.output
    assert "693a91f6" not in refused.output
    assert rows.count("alert_channels") == 0


def test_email_is_refused_without_a_mail_server(run: Command, alerts: Alerts) -> None:
    options = ("--kind", "email", "--name", "Ann", "--address", "ann@acme.example")
    refused = run("alerts", "channels", "add", *ACME, *options)
    assert refused.exit_code == 1
    assert "SMTP_URL" in refused.output


def test_the_secret_of_a_new_webhook_is_printed_once(run: Command, alerts: Alerts) -> None:
    options = ("--kind", "webhook", "--name", "Pager", "--secret-stdin")
    url = "https://hooks.acme.example/5ec2e7\n"
    added = run("alerts", "channels", "add", "--platform", *options, stdin=url)
    assert "whsec_" in added.output
    listed = run("alerts", "channels", "list", "--platform").output
    assert "hooks.acme.example" in listed
    assert "whsec_" not in listed
    assert "5ec2e7" not in listed


def test_a_test_message_shows_success_or_the_reason(run: Command, alerts: Alerts) -> None:
    channel = str(alerts.add_channel().id)
    assert "Delivered" in run("alerts", "channels", "test", channel, *ACME).output
    with alerts.failing_channel(NotDelivered(Reason.KEY_REJECTED, 93000)):
        failed = run("alerts", "channels", "test", channel, *ACME)
    assert failed.exit_code == 1
    assert "key_rejected 93000: The robot no longer exists" in failed.output
    assert "key_rejected 93000" in run("alerts", "channels", "list", *ACME).output
    other = run("alerts", "channels", "test", channel, "--tenant", "globex")
    assert "alert_channel_unknown" in other.output


def test_an_eleventh_channel_and_an_eleventh_test_are_refused(run: Command, alerts: Alerts) -> None:
    channels = [str(alerts.add_channel().id) for _ in range(10)]
    assert "alert_channels_too_many" in add(run).output
    for _ in range(10):
        assert run("alerts", "channels", "test", channels[0], *ACME).exit_code == 0
    assert "alert_tests_too_many" in run("alerts", "channels", "test", channels[0], *ACME).output


def test_alerts_are_listed_muted_and_unmuted(run: Command, alerts: Alerts, rows: Reader) -> None:
    alerts.observe()
    alerts.tick()
    alerts.tick(minutes=2)
    listed = run("alerts", "list", *ACME, "--open").output
    alert = listed.partition("\t")[0]
    assert "\topen\twechat_app_misconfigured:40125\t" in listed
    assert run("alerts", "mute", *ACME, "--alert", alert, "--hours", "4").exit_code == 0
    assert "Muted until" in run("alerts", "mute", *ACME, "--app", "wx1", "--hours", "1").output
    mute = run("alerts", "list", *ACME).output.splitlines()[-1].partition("\t")[0]
    for identity in (alert, mute):
        assert run("alerts", "unmute", identity, "--tenant", "globex").exit_code == 1
        assert run("alerts", "unmute", identity, *ACME).exit_code == 0
    actions = {action for (action,) in rows("SELECT action FROM audit_events")}
    assert {"alert.muted", "alert.unmuted", "alert_mute.added", "alert_mute.removed"} <= actions


@pytest.mark.parametrize(
    "options",
    [
        ("list",),
        ("list", "--tenant", "acme", "--platform"),
        ("mute", "--platform", "--hours", "4"),
        ("mute", "--platform", "--condition", "x", "--hours", "0"),
        ("mute", "--platform", "--condition", "x", "--hours", "721"),
        ("channels", "add", "--platform", "--kind", "wecom", "--name", "x", "--address", "a@b.cn"),
        ("channels", "add", "--platform", "--kind", "email", "--name", "x"),
        ("channels", "add", "--platform", "--kind", "wecom", "--name", "x", "--signed"),
    ],
)
def test_contradictory_options_are_refused(run: Command, options: tuple[str, ...]) -> None:
    assert run("alerts", *options).exit_code == 2

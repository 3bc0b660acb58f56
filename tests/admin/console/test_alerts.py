"""The console pages of alerts: channels, test messages, mutes, roles."""

import pytest
from flask import Flask

from app.notifications import NotDelivered, Reason
from tests.admin.console.browser import signed_in
from tests.fixtures.personas import Reader
from tests.services.alerts.conftest import WECOM, Alerts

ROBOT = {"kind": "wecom", "name": "<@all><b>", "language": "zh", "target": WECOM, "secret": ""}


@pytest.fixture
def alerts(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Alerts:
    """Alerts with a clock that stands still."""
    return Alerts(app, monkeypatch)


def test_an_admin_adds_tests_and_removes_a_channel(
    app: Flask, alerts: Alerts, rows: Reader
) -> None:
    browser = signed_in(app)
    assert browser.post("/alerts/channels/add", **ROBOT).status_code == 302
    page = browser.get("/alerts/").text
    assert "qyapi.weixin.qq.com …4e88" in page
    assert "693a91f6" not in page
    assert "<b>" not in page
    ((channel,),) = rows("SELECT id FROM alert_channels")
    browser.post(f"/alerts/channels/{channel}/test")
    assert "The test message was delivered." in browser.get("/alerts/").text
    with alerts.failing_channel(NotDelivered(Reason.STATUS, 500, may_retry=True)):
        browser.post(f"/alerts/channels/{channel}/test")
    assert "status 500" in browser.get("/alerts/").text
    assert "4e88" in browser.get(f"/alerts/channels/{channel}/remove").text
    browser.post(f"/alerts/channels/{channel}/remove")
    assert rows.count("alert_channels") == 0


def test_an_invalid_channel_shows_what_is_wrong_and_not_the_url(
    app: Flask, alerts: Alerts, rows: Reader
) -> None:
    browser = signed_in(app)
    wrong = ROBOT | {"target": "https://user:693a91f6@10.0.0.1/"}
    refused = browser.post("/alerts/channels/add", **wrong)
    assert refused.status_code == 422
    assert "without a user and without an IP address" in refused.text
    assert "693a91f6" not in refused.text
    assert rows.count("alert_channels") == 0


def test_the_secret_of_a_new_webhook_is_shown_once(app: Flask, alerts: Alerts) -> None:
    browser = signed_in(app)
    hook = {"kind": "webhook", "target": "https://hooks.acme.example/"}
    assert "whsec_" in browser.post("/alerts/channels/add", **(ROBOT | hook)).text
    assert "whsec_" not in browser.get("/alerts/").text


def test_adding_a_channel_needs_a_recent_proof(app: Flask, alerts: Alerts, rows: Reader) -> None:
    browser = signed_in(app)
    token = browser.token("/alerts/channels/add")
    rows("UPDATE operator_sessions SET proven_at = now() - interval '1 hour'")
    refused = browser.post_bare("/alerts/channels/add", csrf_token=token, **ROBOT)
    assert "/prove" in refused.location
    assert rows.count("alert_channels") == 0


def test_an_admin_mutes_and_unmutes_an_alert(app: Flask, alerts: Alerts, rows: Reader) -> None:
    alerts.observe(facts={"app_name": "<script>alert(1)</script>"})
    alerts.tick()
    alerts.tick(minutes=2)
    browser = signed_in(app)
    page = browser.get("/alerts/").text
    assert "WeChat returned errcode 40125." in page
    assert "<script>alert(1)" not in page
    ((alert,),) = rows("SELECT id FROM alerts")
    browser.post(f"/alerts/{alert}/mute", hours="24")
    assert "muted until" in browser.get("/alerts/").text
    browser.post(f"/alerts/{alert}/unmute")
    assert rows("SELECT muted_until FROM alerts") == [(None,)]
    assert browser.post("/alerts/mutes/add", hours="4", appid="", condition="").status_code == 302
    ((mute,),) = rows("SELECT id FROM alert_mutes")
    browser.post(f"/alerts/mutes/{mute}/remove")
    assert rows.count("alert_mutes") == 0


def test_a_viewer_sees_alerts_but_no_forms(app: Flask, alerts: Alerts, rows: Reader) -> None:
    channel = alerts.add_channel()
    viewer = signed_in(app, "rita@acme.example", "tenant_reader")
    page = viewer.get("/alerts/").text
    assert "On call" in page
    assert "/alerts/channels/add" not in page
    for path in ("channels/add", f"channels/{channel.id}/test", f"channels/{channel.id}/remove"):
        assert viewer.post(f"/alerts/{path}").status_code == 403
    assert rows.count("alert_channels") == 1


def test_another_tenant_finds_neither_channel_nor_alert(
    app: Flask, alerts: Alerts, rows: Reader
) -> None:
    channel = alerts.add_channel()
    alerts.observe()
    alerts.tick()
    alerts.tick(minutes=2)
    ((alert,),) = rows("SELECT id FROM alerts")
    other = signed_in(app, "gina@globex.example", "tenant_admin", "globex")
    assert "On call" not in other.read("/alerts/")
    for path in (f"channels/{channel.id}/test", f"channels/{channel.id}/remove", f"{alert}/unmute"):
        assert other.post(f"/alerts/{path}").status_code == 404
    assert other.post(f"/alerts/{alert}/mute", hours="4").status_code == 404
    assert rows("SELECT muted_until FROM alerts") == [(None,)]


def test_only_platform_admins_see_the_alerts_of_the_platform(app: Flask, alerts: Alerts) -> None:
    alerts.add_channel(None)
    assert (
        "On call"
        in signed_in(app, "ops@wxpass.example", "platform").get("/console/platform-alerts/").text
    )
    ann = signed_in(app)
    assert ann.get("/console/platform-alerts/").status_code == 404
    assert "On call" not in ann.read("/alerts/")


def test_the_page_of_the_platform_shows_commands_as_code(app: Flask, alerts: Alerts) -> None:
    facts = {"why": "Jobs.", "remedy": "Run `retention run`, not `<b>`.", "values": {}}
    alerts.observe(appid=None, tenant_id=None, condition="retention_overdue", facts=facts)
    alerts.tick()
    alerts.tick(minutes=2)
    page = signed_in(app, "ops@wxpass.example", "platform").get("/console/platform-alerts/").text
    assert "<h1><bdi>Platform alerts</bdi></h1>" in page
    assert "Run <code>retention run</code>, not <code>&lt;b&gt;</code>." in page

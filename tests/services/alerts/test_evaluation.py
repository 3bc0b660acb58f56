"""Alerts and their messages: once, repeated, muted, recovered; one process; killed processes."""

import threading
from datetime import timedelta

import pytest

from app.notifications import NotDelivered, Reason
from app.services import audit
from app.services.alerts import evaluation, outbox, sending
from app.services.alerts.alerts import add_mute, list_alerts, mute_alert
from app.services.alerts.owner import Owner
from app.services.apps.tenants import tenant_id_of
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP


def states(rows):
    return rows("SELECT condition, opened_at, recovered_at FROM alerts ORDER BY id")


def test_an_alert_is_notified_once_after_two_minutes(alerts, rows):
    alerts.add_channel()
    alerts.observe()
    assert alerts.tick() == []
    assert alerts.tick(minutes=1) == []
    (message,) = alerts.tick(minutes=1)
    assert message.subject == (
        "[wxpass] Problem: acme / Shop (wxaaaa000000000001): The AppSecret is missing. Enter it."
    ).replace("wxaaaa000000000001", ACME_SHOP.appid)
    assert "12 of 30 logins failed." in message.text
    assert "What to do: WeChat returned errcode 40125." in message.text
    for _ in range(5):
        assert alerts.tick(minutes=1) == []
    assert rows.count("alerts") == 1


def test_an_alert_is_repeated_after_four_hours(alerts):
    alerts.add_channel()
    alerts.observe()
    alerts.tick()
    assert len(alerts.tick(minutes=2)) == 1
    assert alerts.tick(hours=3, minutes=59) == []
    (repeated,) = alerts.tick(minutes=1)
    assert repeated.subject.startswith("[wxpass] Still a problem: ")


def test_a_recovery_is_notified_once_after_five_minutes(alerts, rows):
    alerts.add_channel()
    alerts.observe()
    alerts.tick()
    alerts.tick(minutes=2)
    alerts.present = []
    assert alerts.tick(minutes=4) == []
    (recovered,) = alerts.tick(minutes=1)
    assert recovered.subject.startswith("[wxpass] Recovered: acme / Shop")
    assert "What to do" not in recovered.text
    assert alerts.tick(minutes=1) == []
    assert rows("SELECT count(*) FROM alerts WHERE recovered_at IS NOT NULL") == [(1,)]


def test_a_condition_that_returns_within_five_minutes_stays_the_same_alert(alerts, rows):
    alerts.add_channel()
    alerts.observe()
    alerts.tick()
    alerts.tick(minutes=2)
    gone, alerts.present = alerts.present, []
    assert alerts.tick(minutes=3) == []
    alerts.present = gone
    assert alerts.tick(minutes=1) == []
    assert rows.count("alerts") == 1


def test_a_short_condition_opens_no_alert(alerts, rows):
    alerts.add_channel()
    alerts.observe()
    alerts.tick()
    alerts.present = []
    for _ in range(7):
        assert alerts.tick(minutes=1) == []
    assert rows.count("alerts") == 0


def test_a_muted_alert_is_notified_after_the_mute(app, alerts):
    alerts.add_channel()
    alerts.observe()
    with app.app_context():
        acme = tenant_id_of("acme")
        add_mute(Owner(audit.OPERATOR, acme), ACME_SHOP.appid, None, timedelta(hours=1))
    assert alerts.tick() == []
    assert alerts.tick(minutes=30) == []
    assert len(alerts.tick(minutes=31)) == 1


def test_muting_an_alert_suppresses_repetition_and_recovery(app, alerts):
    alerts.add_channel()
    alerts.observe()
    alerts.tick()
    alerts.tick(minutes=2)
    with app.app_context():
        acme = tenant_id_of("acme")
        (shown,) = list_alerts(Owner(audit.OPERATOR, acme), "en")
        mute_alert(Owner(audit.OPERATOR, acme), shown.id, timedelta(hours=5))
    assert alerts.tick(hours=4, minutes=30) == []
    alerts.present = []
    assert alerts.tick(minutes=6) == []


@pytest.mark.parametrize(
    ("appid", "condition", "is_muted"),
    [
        (None, None, True),
        (ACME_SHOP.appid, "wechat_app_misconfigured:40125", True),
        (ACME_CLUB.appid, None, False),
        (None, "wechat_unavailable", False),
    ],
)
def test_a_mute_applies_to_its_app_and_condition(app, alerts, appid, condition, is_muted):
    alerts.add_channel()
    alerts.observe()
    with app.app_context():
        add_mute(Owner(audit.OPERATOR, tenant_id_of("acme")), appid, condition, timedelta(hours=1))
        add_mute(Owner(audit.OPERATOR, tenant_id_of("globex")), None, None, timedelta(hours=1))
        add_mute(Owner(audit.OPERATOR, None), None, None, timedelta(hours=1))
    alerts.tick()
    assert len(alerts.tick(minutes=2)) == (0 if is_muted else 1)


def test_alerts_of_a_tenant_go_to_its_channels_only(alerts):
    ours = alerts.add_channel("acme")
    alerts.add_channel("globex")
    alerts.add_channel(None)
    alerts.observe()
    alerts.observe(None, "retention_overdue", tenant_id=None)
    alerts.tick()
    sent = alerts.tick(minutes=2)
    assert len(sent) == 2
    assert ["acme" in one.text for one in sent] == [True, False]
    assert ours.failures == 0


def test_several_alerts_of_a_tenant_are_one_message(alerts):
    alerts.add_channel()
    for number in range(12):
        alerts.observe(f"wx{number:016}")
    alerts.tick()
    (message,) = alerts.tick(minutes=2)
    assert message.subject == "[wxpass] 12 problems, 0 recovered: acme"
    assert message.text.count("What to do") == 8
    assert "And 4 more." in message.text
    assert len(message.data["alerts"]) == 12


def test_without_a_channel_an_alert_is_notified_once_there_is_one(alerts):
    alerts.observe()
    alerts.tick()
    assert alerts.tick(minutes=2) == []
    alerts.add_channel()
    assert len(alerts.tick(minutes=1)) == 1


def test_only_the_process_with_the_lease_evaluates(alerts):
    alerts.add_channel()
    alerts.observe()
    alerts.tick("one")
    assert alerts.tick("two", minutes=1) == []
    assert len(alerts.tick("one", minutes=1)) == 1


def test_another_process_takes_over_when_the_lease_has_expired(alerts):
    """The process `one` was killed."""
    alerts.add_channel()
    alerts.observe()
    alerts.tick("one")
    assert len(alerts.tick("two", minutes=2)) == 1
    assert alerts.tick("one", minutes=1) == []


def test_a_process_that_lost_its_lease_during_the_evaluation_writes_nothing(
    app, alerts, monkeypatch, rows
):
    alerts.add_channel()
    alerts.observe(opens_after=timedelta())
    found = list(alerts.present)

    def observe_slowly():
        with app.app_context():
            alerts.wait(minutes=2)
            assert evaluation.take_lease("two")
        return found

    monkeypatch.setattr(evaluation, "observe_apps", observe_slowly)
    assert alerts.tick("one") == []
    assert rows.count("alerts") == 0


@pytest.mark.real_commits
def test_simultaneous_evaluations_send_one_message(app, alerts, rows):
    """Sixteen threads evaluate with the same lease, and send."""
    alerts.add_channel()
    alerts.observe(opens_after=timedelta())
    with app.app_context():
        assert evaluation.take_lease("one")
    barrier = threading.Barrier(16)

    def run():
        barrier.wait()
        with app.app_context():
            evaluation.evaluate("one")
            sending.send_due()

    threads = [threading.Thread(target=run) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(alerts.notifier.sent) == 1
    assert rows.count("alerts") == rows.count("alert_deliveries") == 1


def test_a_message_of_a_killed_process_is_not_sent_again(app, alerts, rows):
    """The process was killed after the claim, before or after the message was sent."""
    channel = alerts.add_channel()
    alerts.observe()
    alerts.tick()
    alerts.wait(minutes=2)
    with app.app_context():
        evaluation.take_lease("one")
        evaluation.evaluate("one")
        assert len(outbox.claim_due()) == 1
    for _ in range(10):
        assert alerts.tick("two", minutes=2) == []
    assert rows("SELECT error FROM alert_deliveries") == [("interrupted",)]
    assert rows("SELECT last_error FROM alert_channels") == [("interrupted",)]
    assert channel.last_error is None


def test_a_temporary_failure_is_retried_four_times(alerts, rows):
    alerts.add_channel()
    alerts.observe()
    alerts.tick()
    with alerts.failing_channel(NotDelivered(Reason.STATUS, 503, may_retry=True)):
        for _ in range(60):
            alerts.tick(minutes=1)
    assert rows("SELECT attempts, error, finished_at IS NULL FROM alert_deliveries") == [
        (5, "status 503", False)
    ]
    assert rows("SELECT failures, last_error FROM alert_channels") == [(5, "status 503")]


def test_a_retried_message_is_sent_once_and_has_the_same_id(alerts, rows):
    alerts.add_channel()
    alerts.observe()
    alerts.tick()
    with alerts.failing_channel(NotDelivered(Reason.NOT_CONNECTED)):
        alerts.tick(minutes=2)
    (message,) = alerts.tick(minutes=1)
    ((identity,),) = rows("SELECT id FROM alert_deliveries")
    assert message.id == f"msg_{identity.hex}"
    assert alerts.tick(minutes=1) == []
    assert rows("SELECT failures, last_error FROM alert_channels") == [(0, None)]


@pytest.mark.parametrize("reason", [Reason.NO_ANSWER, Reason.KEY_REJECTED, Reason.REDIRECTED])
def test_a_message_that_may_have_arrived_or_is_refused_is_not_retried(alerts, rows, reason):
    alerts.add_channel()
    alerts.observe()
    alerts.tick()
    with alerts.failing_channel(NotDelivered(reason)):
        for _ in range(10):
            alerts.tick(minutes=1)
    assert rows("SELECT attempts, error FROM alert_deliveries") == [(1, reason.value)]


def test_a_channel_has_at_most_20_waiting_messages(alerts, rows):
    alerts.add_channel()
    with alerts.failing_channel(NotDelivered(Reason.NOT_CONNECTED)):
        for number in range(30):
            alerts.observe(f"wx{number:016}", opens_after=timedelta())
            alerts.tick(minutes=1)
    waiting = rows("SELECT count(*) FROM alert_deliveries WHERE finished_at IS NULL")
    assert waiting[0][0] <= 20


def test_the_message_is_in_the_language_of_the_channel(alerts):
    alerts.add_channel(language="zh")
    alerts.observe()
    alerts.tick()
    (message,) = alerts.tick(minutes=2)
    assert message.subject.startswith("[wxpass] 故障：acme / Shop")
    assert "自北京时间 " in message.text
    assert "处理办法" in message.text


def test_the_message_links_to_the_console_if_its_address_is_known(app, alerts, monkeypatch):
    monkeypatch.setitem(app.config, "WXPASS_PUBLIC_URL", "https://login.example.com")
    alerts.add_channel()
    alerts.observe()
    alerts.tick()
    (message,) = alerts.tick(minutes=2)
    assert message.text.endswith("https://login.example.com/console/t/acme/alerts/")


def test_a_name_is_not_searched_for_placeholders(alerts):
    alerts.add_channel()
    alerts.observe(facts={"app_name": "{why}{0}%(x)s<@all>"})
    alerts.tick()
    (message,) = alerts.tick(minutes=2)
    assert "acme / {why}{0}%(x)s<@all> (" in message.subject

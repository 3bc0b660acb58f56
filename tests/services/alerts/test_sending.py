"""The thread that sends: failures of the database, connections, and metrics."""

from datetime import timedelta

import pytest

from app.extensions import db
from app.metrics.definitions import ALERTS_SENT
from app.notifications import NotDelivered, Reason
from app.services import audit
from app.services.alerts import channels, evaluation, outbox, sending
from app.services.alerts.owner import Owner
from app.services.apps.tenants import tenant_id_of
from tests.services.alerts.conftest import WECOM

NOW = timedelta()
FAILED_ONCE = {("wecom", "failed"): 1.0}


def test_a_failure_of_the_database_does_not_stop_the_thread(app, alerts, monkeypatch):
    def fail(holder):
        raise OSError

    with app.app_context():
        assert sending.tick("one")
        monkeypatch.setattr(sending, "take_lease", fail)
        assert not sending.tick("one")


@pytest.mark.real_commits
def test_no_connection_is_held_while_a_message_is_sent(app, alerts, monkeypatch):
    channel = alerts.add_channel()
    alerts.observe()
    alerts.tick()
    held = []

    def deliver(target, message):
        with app.app_context():
            held.append(db.engine.pool.checkedout())

    monkeypatch.setattr(alerts.notifier, "deliver", deliver)
    alerts.tick(minutes=2)
    with app.app_context():
        channels.test_channel(Owner(audit.OPERATOR, tenant_id_of("acme")), channel.id)
    assert held == [0, 0]


def test_an_unexpected_error_of_one_channel_does_not_affect_others(alerts, rows, monkeypatch):
    wrong, right = alerts.add_channel(), alerts.add_channel(language="zh")
    alerts.observe(opens_after=NOW)
    delivered = []

    def deliver(target, message):
        if message.subject.startswith("[wxpass] Problem"):
            raise RuntimeError(WECOM)
        delivered.append(message)

    monkeypatch.setattr(alerts.notifier, "deliver", deliver)
    alerts.tick()
    assert len(delivered) == 1
    errors = dict(rows("SELECT id, last_error FROM alert_channels"))
    assert errors == {wrong.id: "no_answer", right.id: None}
    assert rows("SELECT id FROM alert_deliveries WHERE finished_at IS NULL") == []


def test_a_webhook_gets_at_most_100_alerts_in_a_message(alerts):
    alerts.add_channel(kind="webhook", target="https://hooks.acme.example/")
    for number in range(101):
        alerts.observe(f"wx{number:016}", opens_after=NOW)
    (message,) = alerts.tick()
    assert len(message.data["alerts"]) == 100
    assert "And 93 more." in message.text


def test_a_message_is_counted_after_its_last_attempt(alerts, recorded):
    alerts.add_channel()
    alerts.observe()
    alerts.tick()
    with alerts.failing_channel(NotDelivered(Reason.NOT_CONNECTED)):
        alerts.tick(minutes=2)
    assert recorded.of(ALERTS_SENT) == {}
    alerts.tick(minutes=1)
    assert recorded.of(ALERTS_SENT) == {("wecom", "ok"): 1.0}


def test_a_refused_message_is_counted_as_failed(alerts, recorded):
    alerts.add_channel()
    alerts.observe(opens_after=NOW)
    with alerts.failing_channel(NotDelivered(Reason.KEY_REJECTED, 93000)):
        alerts.tick()
    assert recorded.of(ALERTS_SENT) == FAILED_ONCE


def test_an_interrupted_message_is_counted_as_failed(app, alerts, recorded):
    alerts.add_channel()
    alerts.observe(opens_after=NOW)
    with app.app_context():
        evaluation.take_lease("one")
        evaluation.evaluate("one")
        outbox.claim_due()
    alerts.tick("two", minutes=6)
    assert recorded.of(ALERTS_SENT) == FAILED_ONCE


def test_a_message_of_an_unreadable_channel_is_counted_as_failed(alerts, recorded, rows):
    alerts.add_channel()
    rows("UPDATE alert_channels SET id = gen_random_uuid()")
    alerts.observe(opens_after=NOW)
    assert alerts.tick() == []
    assert rows("SELECT last_error FROM alert_channels") == [("unreadable",)]
    assert recorded.of(ALERTS_SENT) == FAILED_ONCE


def test_a_message_that_a_full_queue_drops_is_counted_as_failed(alerts, recorded, monkeypatch):
    alerts.add_channel()
    monkeypatch.setattr(outbox, "MOST_WAITING", 0)
    alerts.observe(opens_after=NOW)
    alerts.tick()
    assert recorded.of(ALERTS_SENT) == FAILED_ONCE

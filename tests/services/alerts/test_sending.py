"""The thread that sends: failures of the database, connections, and metrics."""

import pytest

from app.extensions import db
from app.metrics.definitions import ALERTS_SENT
from app.notifications import NotDelivered, Reason
from app.services import audit
from app.services.alerts import channels, evaluation, outbox, sending
from app.services.alerts.owner import Owner
from app.services.apps.tenants import tenant_id_of

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
    alerts.observe(opens_after=alerts.now - alerts.now)
    with alerts.failing_channel(NotDelivered(Reason.KEY_REJECTED, 93000)):
        alerts.tick()
    assert recorded.of(ALERTS_SENT) == FAILED_ONCE


def test_an_interrupted_message_is_counted_as_failed(app, alerts, recorded):
    alerts.add_channel()
    alerts.observe(opens_after=alerts.now - alerts.now)
    with app.app_context():
        evaluation.take_lease("one")
        evaluation.evaluate("one")
        outbox.claim_due()
    alerts.tick("two", minutes=6)
    assert recorded.of(ALERTS_SENT) == FAILED_ONCE


def test_a_message_of_an_unreadable_channel_is_counted_as_failed(alerts, recorded, rows):
    alerts.add_channel()
    rows("UPDATE alert_channels SET id = gen_random_uuid()")
    alerts.observe(opens_after=alerts.now - alerts.now)
    assert alerts.tick() == []
    assert rows("SELECT last_error FROM alert_channels") == [("unreadable",)]
    assert recorded.of(ALERTS_SENT) == FAILED_ONCE


def test_a_message_that_a_full_queue_drops_is_counted_as_failed(alerts, recorded, monkeypatch):
    alerts.add_channel()
    monkeypatch.setattr(outbox, "MOST_WAITING", 0)
    alerts.observe(opens_after=alerts.now - alerts.now)
    alerts.tick()
    assert recorded.of(ALERTS_SENT) == FAILED_ONCE

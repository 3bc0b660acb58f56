"""Conditions and times that a test chooses, and a notifier that records messages."""

from contextlib import contextmanager
from datetime import timedelta

import pytest

from app.clock import now
from app.notifications import NotDelivered, Notifier
from app.services import audit
from app.services.alerts import channels, evaluation, outbox, sending
from app.services.alerts.app_conditions import OPENS_AFTER
from app.services.alerts.channels import NewChannel
from app.services.alerts.owner import Owner
from app.services.alerts.rules import Observation
from app.services.apps.tenants import tenant_id_of
from app.services.failures.causes import Kind
from tests.fixtures.personas import ACME_SHOP

WECOM = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=693a91f6-0b1c5d2f4e88"


class RecordingNotifier(Notifier):
    """A notifier that sends nothing. `failure` is raised instead of recording a message."""

    def __init__(self):
        super().__init__()
        self.sent = []
        self.failure = None

    def deliver(self, target, message):
        if self.failure is not None:
            raise self.failure
        self.sent.append((target, message))


class Alerts:
    """The alerts of a service with conditions that the test chooses."""

    def __init__(self, app, monkeypatch):
        self.app, self.monkeypatch = app, monkeypatch
        self.notifier = RecordingNotifier()
        monkeypatch.setitem(app.extensions, "notifier", self.notifier)
        self.present = []
        monkeypatch.setattr(evaluation, "observe_apps", lambda: list(self.present))
        monkeypatch.setattr(evaluation, "observe_platform", lambda: [])
        self.stop_clock(now())

    def stop_clock(self, moment):
        self.now = moment
        for module in (evaluation, outbox, sending):
            self.monkeypatch.setattr(module, "now", lambda: moment)

    def wait(self, **duration):
        self.stop_clock(self.now + timedelta(**duration))

    def observe(self, appid=ACME_SHOP.appid, condition="wechat_app_misconfigured:40125", **more):
        """Make a condition of acme hold since now."""
        with self.app.app_context():
            tenant_id = tenant_id_of("acme")
        facts = {
            "tenant": "acme",
            "tenant_name": "Acme",
            "app_name": "Shop",
            "failures": 12,
            "logins": 30,
            "why": "The AppSecret is missing. Enter it.",
            "remedy": "WeChat returned errcode {errcode}.",
            "values": {"errcode": "40125"},
        } | more.pop("facts", {})
        one = Observation(
            more.pop("tenant_id", tenant_id),
            appid,
            condition,
            self.now,
            self.now,
            more.pop("opens_after", OPENS_AFTER[Kind.APP]),
            facts,
        )
        self.present.append(one)
        return one

    def add_channel(self, tenant="acme", kind="wecom", language="en", target=WECOM, secret=None):
        with self.app.app_context():
            tenant_id = tenant_id_of(tenant) if tenant else None
            new = NewChannel(kind, "On call", language, target, secret)
            return channels.add_channel(Owner(audit.OPERATOR, tenant_id), new).channel

    def tick(self, holder="one", **wait):
        """Let time pass and run the thread once. Return the messages that were sent."""
        if wait:
            self.wait(**wait)
            self.present = [self._still(one) for one in self.present]
        before = len(self.notifier.sent)
        with self.app.app_context():
            sending.tick(holder)
        return [message for _, message in self.notifier.sent[before:]]

    def _still(self, one):
        return Observation(
            one.tenant_id, one.appid, one.condition, one.since, self.now, one.opens_after, one.facts
        )

    @contextmanager
    def failing_channel(self, error):
        self.notifier.failure = error
        yield
        self.notifier.failure = None


@pytest.fixture
def alerts(app, monkeypatch):
    """Alerts with a clock that stands still."""
    return Alerts(app, monkeypatch)


@pytest.fixture
def not_delivered():
    """Return the class of failures."""
    return NotDelivered

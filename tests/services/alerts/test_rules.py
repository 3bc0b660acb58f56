"""When an alert opens, is notified, repeated, muted and closed."""

from datetime import datetime, timedelta

import pytest

from app.services.alerts.rules import Decision, Notice, Observation, State, decide

NOW = datetime.fromisoformat("2026-11-29T08:00:00Z")
NOTHING = Decision()


def ago(minutes):
    return None if minutes is None else NOW - timedelta(minutes=minutes)


def decision(*, since, present, muted=False, opens_after=5, **times):
    observed = Observation(None, None, "x", ago(since), NOW, timedelta(minutes=opens_after))
    state = State(
        ago(since),
        ago(times.get("seen", 0)),
        ago(times.get("opened")),
        ago(times.get("notified")),
        muted,
    )
    return decide(state, observed if present else None, NOW)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"since": 4, "present": True}, NOTHING),
        ({"since": 5, "present": True}, Decision(opens=True, notice=Notice.PROBLEM)),
        ({"since": 0, "present": True, "opens_after": 0}, Decision(True, False, Notice.PROBLEM)),
        ({"since": 5, "present": True, "muted": True}, Decision(opens=True)),
        ({"since": 9, "present": True, "opened": 4}, Decision(notice=Notice.PROBLEM)),
        ({"since": 9, "present": True, "opened": 4, "notified": 4}, NOTHING),
        ({"since": 300, "present": True, "opened": 299, "notified": 239}, NOTHING),
        (
            {"since": 300, "present": True, "opened": 299, "notified": 240},
            Decision(notice=Notice.REPEATED),
        ),
        ({"since": 300, "present": True, "opened": 299, "notified": 240, "muted": True}, NOTHING),
        ({"since": 60, "present": False, "opened": 55, "notified": 55, "seen": 4}, NOTHING),
        (
            {"since": 60, "present": False, "opened": 55, "notified": 55, "seen": 5},
            Decision(closes=True, notice=Notice.RECOVERED),
        ),
        (
            {"since": 60, "present": False, "opened": 55, "notified": 55, "seen": 5, "muted": True},
            Decision(closes=True),
        ),
        ({"since": 60, "present": False, "opened": 55, "seen": 5}, Decision(closes=True)),
        ({"since": 6, "present": False, "seen": 5}, Decision(closes=True)),
        ({"since": 300, "present": False, "opened": 299, "notified": 250, "seen": 3}, NOTHING),
    ],
)
def test_an_alert_follows_the_table(facts, expected):
    assert decision(**facts) == expected

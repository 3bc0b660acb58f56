"""The conditions of mini-programs and of the platform, from the rows of the service."""

from datetime import timedelta

import pytest

from app.clock import now
from app.services import job_runs
from app.services.alerts import signals
from app.services.alerts.app_conditions import observe_apps
from app.services.alerts.platform_conditions import observe_platform
from app.services.apps.tenants import tenant_id_of
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, ACME_STAFF, GLOBEX_LIFE
from tests.services.failures.minutes import Minutes


@pytest.fixture
def minutes(app, monkeypatch):
    return Minutes(app, monkeypatch)


def observed(app):
    with app.app_context():
        return {(one.appid, one.condition): one for one in observe_apps()}


def platform(app):
    with app.app_context():
        return {one.condition: one for one in observe_platform()}


def test_a_rejected_app_secret_is_a_condition_of_the_tenant(app, minutes):
    minutes.fail("wechat_app_misconfigured", 3, 2, 1, errcode=40125)
    one = observed(app)[ACME_SHOP.appid, "wechat_app_misconfigured:40125"]
    with app.app_context():
        assert one.tenant_id == tenant_id_of("acme")
    assert one.since == minutes.ago(3)
    assert one.opens_after == timedelta(minutes=2)
    assert one.facts["failures"] == 3


def test_a_failing_service_is_a_condition_of_the_platform_only(app, minutes):
    minutes.fail("database_unavailable", 2, 1, times=5)
    found = observed(app)
    assert list(found) == [(None, "database_unavailable")]
    assert found[None, "database_unavailable"].facts["failures"] == 10


def test_unreachable_wechat_is_a_condition_of_the_platform_from_three_apps_on(app, minutes):
    for one in (ACME_SHOP, ACME_CLUB):
        minutes.fail("wechat_unavailable", 2, 1, app=one, times=5)
    assert (None, "wechat_unavailable") not in observed(app)
    minutes.fail("wechat_unavailable", 2, 1, app=ACME_STAFF, times=5)
    assert observed(app)[None, "wechat_unavailable"].facts["apps"] == 3


@pytest.mark.parametrize("job", ["retention", "backup"])
def test_a_job_without_a_success_for_48_hours_is_overdue(app, rows, job):
    with app.app_context():
        job_runs.record_job(job)
    assert f"{job}_overdue" not in platform(app)
    rows("UPDATE job_runs SET finished_at = now() - interval '49 hours'")
    one = platform(app)[f"{job}_overdue"]
    assert now() - one.since < timedelta(hours=2)
    assert one.tenant_id is None


def test_retention_that_never_ran_is_overdue_and_backups_may_have_another_tool(app, rows):
    rows("UPDATE tenants SET created_at = now() - interval '3 days'")
    assert set(platform(app)) == {"retention_overdue"}


def test_a_signing_key_is_old_after_a_year(app, rows):
    rows("UPDATE tenants SET created_at = now() - interval '366 days'")
    assert "signing_key_old" in platform(app)


def test_processes_with_caches_off_are_counted_while_they_repeat_it(app, rows, monkeypatch):
    monkeypatch.setattr(signals, "are_caches_off", lambda: True)
    for name in ("a:1", "b:2"):
        monkeypatch.setattr(signals, "process_name", lambda name=name: name)
        with app.app_context():
            signals.send_signals()
            signals.send_signals()
    assert platform(app)["caches_off"].facts["values"] == {"count": "2"}
    rows("UPDATE alert_signals SET seen_at = now() - interval '2 minutes'")
    assert "caches_off" not in platform(app)


def test_failed_pushes_of_all_tenants_are_one_condition(app, rows):
    add = (
        "INSERT INTO wechat_pushes"
        " (id, tenant_id, appid, event, key_index, delivery_index, received_at, message_sealed,"
        " failure) SELECT gen_random_uuid(), tenant_id, appid, 'x', :key, :key,"
        " now() - make_interval(mins => :minutes), 'sealed', :failure FROM wechat_apps"
        " WHERE appid = :appid RETURNING received_at"
    )
    received = [
        rows(add, appid=one.appid, key=bytes([minutes]), minutes=minutes, failure=failure)[0][0]
        for one, minutes, failure in (
            (ACME_SHOP, 5, "ZeroDivisionError"),
            (GLOBEX_LIFE, 9, "ZeroDivisionError"),
            (GLOBEX_LIFE, 3, "ZeroDivisionError"),
            (ACME_CLUB, 30, None),
        )
    ]
    one = platform(app)["pushes_failing"]
    assert one.since == received[1]
    assert one.facts["values"] == {"count": "3"}

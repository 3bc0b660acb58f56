"""Failing apps: causes, numbers, isolation between tenants, and number of SQL statements."""

import re
from collections import Counter
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from app import tenancy
from app.models import Measure
from app.services.apps.tenants import tenant_id_of
from app.services.database.transactions import transaction
from app.services.failures import failing
from app.services.failures.causes import Kind
from app.services.failures.failing import FailureReport, find_failing, report_failures
from app.services.metrics.count_writer import write_counts
from app.services.metrics.counts import Counts, count
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    ACME_STAFF,
    GLOBEX_LIFE,
    Client,
    Person,
    Reader,
    WeChat,
    failure,
)
from tests.fixtures.tenant_sql import recorded_statements
from tests.services.failures.minutes import Minutes

TEN_MINUTES = timedelta(minutes=10)
A_DAY = timedelta(days=1)


@pytest.fixture
def minutes(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Minutes:
    return Minutes(app, monkeypatch)


def report(app: Flask, since: timedelta = TEN_MINUTES, tenant: str | None = None) -> FailureReport:
    """Write the counts of this process, and return the report."""
    with app.app_context():
        write_counts()
        tenant_id = tenant_id_of(tenant) if tenant else None
        with transaction() as db:
            return report_failures(db, since, tenant_id)


@pytest.mark.parametrize(
    ("errcode", "code"),
    [
        (40125, "wechat_app_misconfigured"),
        (40164, "wechat_app_misconfigured"),
        (45009, "wechat_rate_limited"),
    ],
)
def test_errcode_of_a_login_is_the_cause_of_the_failing_app(
    client: Client, wechat: WeChat, alice: Person, minutes: Minutes, errcode: int, code: str
) -> None:
    client.log_in(alice)
    wechat.fault("errcode", errcode=errcode)
    for _ in range(2):
        assert failure(client.post("login", code=alice.wx_login()))[1] == code
    (one,) = report(minutes.app).failing
    assert (one.tenant_slug, one.appid) == ("acme", ACME_SHOP.appid)
    assert (one.code, one.errcode, one.kind) == (code, errcode, Kind.APP)
    assert (one.failures, one.logins) == (2, 1)
    assert one.first_at == one.last_at == minutes.ago(0)


def test_remedy_for_a_missing_whitelist_entry_names_the_address_from_wechat(
    app: Flask, client: Client, wechat: WeChat, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.extensions, "counts", Counts())
    token = client.log_in(alice)["token"]
    wechat.fault("errcode", path="/cgi-bin/stable_token", errcode=40164)
    answer = client.post("phone", token, **alice.tap_phone_new())
    assert failure(answer)[1] == "wechat_app_misconfigured"
    (one,) = report(app).failing
    assert one.errcode == 40164
    assert one.remedy.values["ip"] not in ("", "?")


def test_app_wide_causes_come_first_and_client_mistakes_are_left_out(
    app: Flask, minutes: Minutes
) -> None:
    minutes.log_in(1, 2, 3, times=50)
    minutes.fail("credentials_wrong", 1, times=20)
    minutes.fail("token_missing", 1, times=500)
    minutes.fail("wechat_unavailable", 2, app=ACME_CLUB, times=9)
    minutes.fail("wechat_app_misconfigured", 3, app=GLOBEX_LIFE, errcode=40125)
    minutes.fail("registration_closed", 1, 2, app=ACME_STAFF, times=12)
    told = report(app)
    assert [(one.tenant_slug, one.code) for one in told.failing] == [
        ("globex", "wechat_app_misconfigured"),
        ("acme", "wechat_unavailable"),
        ("acme", "registration_closed"),
    ]
    assert told.logins == 150
    assert told.failures["credentials_wrong"] == 20
    assert "token_missing" not in told.failures


def test_first_failure_may_precede_the_period(app: Flask, minutes: Minutes) -> None:
    minutes.log_in(400)
    minutes.fail("wechat_app_misconfigured", 300, 200, 3, errcode=40125)
    (one,) = report(app).failing
    assert (one.first_at, one.last_at) == (minutes.ago(300), minutes.ago(3))
    assert one.failures == 1, "the numbers are those of the period"


def test_app_that_works_again_is_listed_as_recovered(app: Flask, minutes: Minutes) -> None:
    minutes.fail("wechat_app_misconfigured", 9, 8, errcode=40125)
    minutes.log_in(3)
    told = report(app)
    assert told.failing == []
    assert [one.last_at for one in told.recovered] == [minutes.ago(8)]


def test_period_ends_at_the_boundary_of_a_minute_and_after_a_day(
    app: Flask, minutes: Minutes
) -> None:
    minutes.fail("wechat_app_misconfigured", 10, errcode=40125)
    assert len(report(app).failing) == 1
    assert report(app, timedelta(minutes=9)).failing == []
    minutes.stop_clock(minutes.now + timedelta(days=1))
    assert report(app, timedelta(days=30)).failing == []


def test_two_causes_of_an_app_are_two_rows(app: Flask, minutes: Minutes) -> None:
    minutes.fail("wechat_app_misconfigured", 1, errcode=40125)
    minutes.fail("wechat_app_misconfigured", 1, errcode=40164, our_ip="203.0.113.7", times=2)
    assert [one.errcode for one in report(app).failing] == [40164, 40125]
    assert report(app).failing[0].remedy.values["ip"] == "203.0.113.7"


def test_tenant_sees_its_own_apps_only(app: Flask, minutes: Minutes) -> None:
    minutes.fail("wechat_app_misconfigured", 1, app=GLOBEX_LIFE, errcode=40125)
    minutes.log_in(1, app=GLOBEX_LIFE)
    told = report(app, tenant="acme")
    assert (told.failing, told.recovered, told.logins, told.failures) == ([], [], 0, {})
    assert len(report(app, tenant="globex").failing) == 1
    with app.app_context():
        assert [one.tenant_slug for one in find_failing(TEN_MINUTES)] == ["globex"]
        assert find_failing(TEN_MINUTES, tenant_id_of("acme")) == []


def test_logins_while_the_database_is_unavailable_are_counted_in_their_minute(
    app: Flask, client: Client, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app of the request cannot be looked up, so the appid in the path counts."""

    def get_app(*_: object, **__: object) -> None:
        raise OperationalError("", {}, Exception())

    monkeypatch.setitem(app.extensions, "counts", Counts())
    with monkeypatch.context() as patch:
        patch.setattr(tenancy, "get_app", get_app)
        for _ in range(3):
            answer = client.post("login", code="0" * 32)
            assert failure(answer) == (503, "database_unavailable")
        client.send("POST", "/v1/apps/wxffff000000000001/login", json={"code": "0" * 32})
    (one,) = report(app).failing
    assert (one.appid, one.kind, one.failures) == (ACME_SHOP.appid, Kind.SERVICE, 3)


def test_logins_of_a_disabled_tenant_and_of_a_disabled_app_are_counted(
    app: Flask, client: Client, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.extensions, "counts", Counts())
    rows("UPDATE wechat_apps SET enabled = false WHERE appid = :appid", appid=ACME_SHOP.appid)
    for _ in range(3):
        assert failure(client.post("login", code="0" * 32))[1] == "app_disabled"
    (one,) = report(app).failing
    assert (one.code, one.kind) == ("app_disabled", Kind.SETTINGS)


def test_report_lists_the_most_serious_causes_if_there_are_too_many(
    app: Flask, minutes: Minutes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failing, "MOST_CAUSES", 1)
    minutes.fail("wechat_unavailable", 1, times=9)
    minutes.fail("wechat_app_misconfigured", 1, errcode=40125)
    told = report(app)
    assert [one.errcode for one in told.failing] == [40125]
    assert told.left_out == 1


def test_a_check_examines_more_causes_than_a_report(
    app: Flask, minutes: Minutes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failing, "MOST_CAUSES", 1)
    for one in (ACME_SHOP, ACME_CLUB, GLOBEX_LIFE):
        minutes.fail("wechat_app_misconfigured", 1, app=one, errcode=40125)
    assert len(report(app).failing) == 1
    with app.app_context():
        assert len(find_failing(TEN_MINUTES)) == 3


def test_a_check_reads_no_minute_before_its_period(app: Flask, minutes: Minutes) -> None:
    minutes.fail("wechat_app_misconfigured", *range(1, 30), errcode=40125)
    (reported,) = report(app).failing
    with app.app_context():
        (checked,) = find_failing(TEN_MINUTES)
    assert (reported.first_at, checked.first_at) == (minutes.ago(29), minutes.ago(10))
    assert (reported.failures, reported.last_at) == (checked.failures, checked.last_at)


def reads_of(app: Flask) -> Counter[str]:
    """Return how often the report of all tenants reads each of these tables."""
    with recorded_statements() as sent, app.app_context(), transaction() as db:
        report_failures(db, A_DAY)
    tables = re.compile("FROM (minute_failures|minute_counts|wechat_apps|tenants)")
    return Counter(table for one in sent for table in tables.findall(one.text))


@pytest.mark.parametrize("apps", [1, 2])
def test_number_of_statements_does_not_grow_with_the_failing_apps_of_a_tenant(
    app: Flask, minutes: Minutes, apps: int
) -> None:
    """Each of two tenants is summed up, and the minutes of the failing tenant are read."""
    for one in (ACME_SHOP, ACME_CLUB)[:apps]:
        minutes.fail("wechat_app_misconfigured", 1, 2, app=one, errcode=40125)
    assert reads_of(app) == {
        "tenants": 1,
        "minute_failures": 3,
        "minute_counts": 3,
        "wechat_apps": 1,
    }


def test_minutes_are_read_only_of_tenants_with_failures(app: Flask, minutes: Minutes) -> None:
    minutes.log_in(1, 2)
    assert reads_of(app) == {"tenants": 1, "minute_failures": 2, "minute_counts": 2}


def test_nothing_is_reported_without_counts(app: Flask) -> None:
    with app.app_context(), transaction() as db:
        told = report_failures(db, A_DAY)
    assert (told.failing, told.recovered, told.logins, told.left_out) == ([], [], 0, 0)


def test_apps_of_several_tenants_are_reported_with_their_own_minutes(
    app: Flask, minutes: Minutes
) -> None:
    """The other tenant has logins in the same minutes."""
    minutes.fail("wechat_unavailable", 3, 2, times=5)
    minutes.fail("wechat_unavailable", 2, 1, app=GLOBEX_LIFE, times=6)
    minutes.log_in(2, app=GLOBEX_LIFE, times=4)
    told = [(one.tenant_slug, one.failures, one.logins) for one in report(app).failing]
    assert told == [("globex", 12, 4), ("acme", 10, 0)]
    with app.app_context():
        checked = find_failing(TEN_MINUTES)
    assert [(one.tenant_slug, one.failures, one.logins) for one in checked] == told


def test_failures_of_a_login_by_password_are_counted(
    app: Flask, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.extensions, "counts", Counts())
    for _ in range(2):
        client.post("password-login", account="nobody", password=GOOD_PASSWORD)
    with app.app_context():
        count(ACME_SHOP.appid, Measure.LOGGED_IN_BY_PASSWORD)
    told = report(app)
    assert (told.failing, told.logins, told.failures) == ([], 1, {"credentials_wrong": 2})

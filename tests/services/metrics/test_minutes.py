"""Counts by minute: boundaries, concurrency, outages, and deletion after a day."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import create_engine

from app.clock import now
from app.extensions import db
from app.models import Measure, WeChatApp
from app.services.apps.app_records import drop_app
from app.services.database.transactions import transaction
from app.services.metrics import counts as counting
from app.services.metrics import old_counts
from app.services.metrics.count_writer import write_counts
from app.services.metrics.counts import Counts, count, count_failure, minute_of
from config import Config
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, Reader
from tests.services.login.test_concurrency import run_concurrently
from tests.services.metrics.test_count_writer import process

COUNTS = "SELECT minute, logged_in, failed FROM minute_counts ORDER BY minute"
FAILURES = "SELECT minute, code, errcode, count, our_ip FROM minute_failures ORDER BY minute, code"


@pytest.fixture
def counting_app(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The service without counts in memory."""
    monkeypatch.setitem(app.extensions, "counts", Counts())
    return app


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    """Set the time at which events are counted."""
    monkeypatch.setattr(counting, "now", lambda: moment)
    monkeypatch.setattr(old_counts, "now", lambda: moment)


def write(app: Flask) -> None:
    """Write the counts of this process."""
    with app.app_context():
        write_counts()


def test_minute_begins_at_its_first_second(
    counting_app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    minute = minute_of(now()) - timedelta(minutes=5)
    for seconds in (-0.001, 0, 59.999, 60):
        at(monkeypatch, minute + timedelta(seconds=seconds))
        with counting_app.app_context():
            count(ACME_SHOP.appid, Measure.LOGGED_IN)
            count_failure(ACME_SHOP.appid, "code_invalid", 40029)
    write(counting_app)
    before, after = minute - timedelta(minutes=1), minute + timedelta(minutes=1)
    assert rows(COUNTS) == [(before, 1, 1), (minute, 2, 2), (after, 1, 1)]
    told = [(one, number) for one, _, _, number, _ in rows(FAILURES)]
    assert told == [(before, 1), (minute, 2), (after, 1)]


def test_several_writes_add_to_the_same_minute(
    counting_app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    minute = minute_of(now())
    at(monkeypatch, minute)
    for our_ip in (None, "203.0.113.7", None):
        with counting_app.app_context():
            count_failure(ACME_SHOP.appid, "wechat_app_misconfigured", 40164, our_ip)
        write(counting_app)
    assert rows(FAILURES) == [(minute, "wechat_app_misconfigured", 40164, 3, "203.0.113.7")]


def test_several_addresses_in_one_write_are_one_row(
    counting_app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, minute_of(now()))
    with counting_app.app_context():
        for our_ip in ("203.0.113.7", None, "203.0.113.8"):
            count_failure(ACME_SHOP.appid, "wechat_app_misconfigured", 40164, our_ip)
    write(counting_app)
    ((_, _, _, number, our_ip),) = rows(FAILURES)
    assert (number, our_ip) == (3, "203.0.113.8")


@pytest.mark.real_commits
def test_concurrent_writes_of_two_processes_lose_no_minutes(
    config: Config, app: Flask, rows: Reader
) -> None:
    with process(config) as one, process(config) as other:

        def work(service: Flask) -> None:
            with service.app_context():
                for _ in range(10):
                    for appid in (ACME_SHOP.appid, ACME_CLUB.appid) * 10:
                        count(appid, Measure.LOGGED_IN)
                        count_failure(appid, "wechat_unavailable", -1)
                    write_counts()

        run_concurrently([lambda service=service: work(service) for service in (one, other) * 4])
    assert rows("SELECT sum(logged_in)::int, sum(failed)::int FROM minute_counts") == [(1600, 1600)]
    assert rows("SELECT sum(count)::int FROM minute_failures") == [(1600,)]


@pytest.mark.real_commits
def test_failures_of_an_outage_are_written_later_in_their_minute(
    config: Config, app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = config.database_url.rpartition("/")[2]
    away = config.database_url.replace(name, "nowhere_at_all")
    began = minute_of(now()) - timedelta(minutes=10)
    with process(replace(config, database_url=away)):
        for minutes in (0, 1, 2):
            at(monkeypatch, began + timedelta(minutes=minutes))
            count_failure(ACME_SHOP.appid, "database_unavailable")
            write_counts()
        assert rows(FAILURES) == []
        db.engines[None] = create_engine(config.database_url)
        at(monkeypatch, began + timedelta(minutes=9))
        write_counts()
    told = [(minute, number) for minute, _, _, number, _ in rows(FAILURES)]
    assert told == [(began + timedelta(minutes=minutes), 1) for minutes in (0, 1, 2)]


def test_writer_deletes_minutes_older_than_a_day_without_retention(
    counting_app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = datetime.now(UTC)
    for minutes in (24 * 60 + 1, 24 * 60, 0):
        at(monkeypatch, moment - timedelta(minutes=minutes))
        with counting_app.app_context():
            count_failure(ACME_SHOP.appid, "code_invalid")
        write(counting_app)
    at(monkeypatch, moment + timedelta(minutes=1, seconds=1))
    write(counting_app)
    kept = [(minute_of(moment),)]
    for table in ("minute_counts", "minute_failures"):
        assert rows(f"SELECT minute FROM {table} ORDER BY minute") == kept


def test_writer_deletes_at_most_once_a_minute(
    counting_app: Flask, monkeypatch: pytest.MonkeyPatch, statements: list[str]
) -> None:
    moment = datetime.now(UTC)
    at(monkeypatch, moment)
    with counting_app.app_context():
        count(ACME_SHOP.appid, Measure.LOGGED_IN)
    deletions = []
    for seconds in (0, 5, 59, 61, 66):
        at(monkeypatch, moment + timedelta(seconds=seconds))
        statements.clear()
        write(counting_app)
        deletions.append(sum(one.startswith("DELETE FROM minute_") for one in statements))
    tenants = 2
    assert deletions == [0, 0, 0, 2 * tenants, 0]


def test_minutes_older_than_a_day_are_not_written(
    counting_app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database was unavailable for longer than a day. The counts by day are still written."""
    moment = datetime.now(UTC)
    at(monkeypatch, moment - timedelta(days=1, minutes=2))
    with counting_app.app_context():
        count_failure(ACME_SHOP.appid, "database_unavailable")
    at(monkeypatch, moment)
    write(counting_app)
    assert rows.count("minute_failures") == rows.count("minute_counts") == 0
    assert rows.count("daily_failures") == 1


def test_minutes_go_with_their_app(counting_app: Flask, rows: Reader) -> None:
    """The foreign keys delete them, because the previous release does not."""
    with counting_app.app_context():
        count_failure(ACME_CLUB.appid, "code_invalid")
        write_counts()
        with transaction() as session:
            drop_app(session, session.get_one(WeChatApp, ACME_CLUB.appid))
    assert rows.count("minute_failures") == rows.count("minute_counts") == 0

"""Writing of counts to the database: concurrency, outages and shutdown."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from sqlalchemy import create_engine

from app import create_app
from app.clock import now
from app.extensions import db
from app.models import Measure
from app.services.database.transactions import transaction
from app.services.metrics import count_writer
from app.services.metrics import counts as counting
from app.services.metrics.count_writer import write_counts
from app.services.metrics.counts import Counts, Tally, count, count_answer, count_failure, today
from app.services.metrics.old_counts import count_old_counts, drop_old_counts
from app.services.runtime import background
from config import Config
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, Person, Reader
from tests.fixtures.servers.gunicorn import is_ready
from tests.fixtures.servers.ports import free_port
from tests.fixtures.waiting import until
from tests.services.login.test_concurrency import run_concurrently

ROOT = Path(__file__).resolve().parents[3]
TOTALS = "SELECT sum(opened)::int, sum(logged_in)::int, sum(registered)::int FROM daily_counts"


@contextmanager
def process(config: Config) -> Iterator[Flask]:
    """Yield a second Flask app with its own counts and connections, as in another process."""
    service = create_app(config)
    with service.app_context():
        yield service
        db.engine.dispose()


@pytest.mark.real_commits
def test_concurrent_writes_of_two_processes_lose_no_counts(
    config: Config, app: Flask, rows: Reader
) -> None:
    with process(config) as one, process(config) as other:

        def work(service: Flask) -> None:
            with service.app_context():
                for _ in range(10):
                    for appid in (ACME_SHOP.appid, ACME_CLUB.appid) * 10:
                        count(appid, Measure.OPENED)
                        count_answer(appid, "login", 0.1, True)
                    write_counts()

        run_concurrently([lambda service=service: work(service) for service in (one, other) * 4])
    assert rows(TOTALS) == [(1600, 0, 0)]
    assert rows("SELECT within_ms, sum(count)::int FROM answer_times GROUP BY 1") == [(100, 1600)]


@pytest.mark.real_commits
def test_counts_are_kept_while_the_database_is_unavailable(
    config: Config, app: Flask, rows: Reader
) -> None:
    name = config.database_url.rpartition("/")[2]
    away = config.database_url.replace(name, "nowhere_at_all")
    with process(replace(config, database_url=away)):
        for _ in range(3):
            count(ACME_SHOP.appid, Measure.OPENED)
            write_counts()
        db.engines[None] = create_engine(config.database_url)
        for _ in range(3):
            write_counts()
    assert rows(TOTALS) == [(3, 0, 0)]


def test_counts_of_a_deleted_app_are_dropped_and_the_others_written(
    app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.extensions, "counts", Counts())
    with app.app_context():
        count("wxgone0000000000001", Measure.OPENED)
        count(ACME_SHOP.appid, Measure.OPENED)
        write_counts()
    assert rows(TOTALS) == [(1, 0, 0)]


def test_counts_that_cannot_be_written_use_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST_SUMS", 3)
    monkeypatch.setattr(counting, "MOST_NEWS", 10)
    tally: Tally[Any] = Tally()
    for number in range(20):
        tally.note(number)
    assert list(tally.gather()) == [10, 11, 12], (
        "the oldest events are dropped, and no new keys are added to full sums"
    )
    for _ in range(5):
        tally.note(10)
    assert tally.gather()[10] == 6, "existing keys are still counted"


def test_event_of_a_rolled_back_transaction_is_not_counted(
    app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.extensions, "counts", Counts())
    with app.app_context():
        with suppress(ZeroDivisionError), transaction() as session:
            counting.count_if_committed(session, ACME_SHOP.appid, Measure.REGISTERED)
            raise ZeroDivisionError
        with transaction() as session:
            counting.count_if_committed(session, ACME_SHOP.appid, Measure.LOGGED_IN)
        write_counts()
    assert rows(TOTALS) == [(0, 1, 0)]


def test_forked_process_starts_with_empty_counts_and_one_writer(app: Flask) -> None:
    began: list[int] = []
    counts = Counts()
    counts.begin_writing = lambda: began.append(1)
    counts.of_this_process().happened.note(counting.Happened(today(), "x", "opened"))
    counts._once._process = -1  # As after a fork.
    run_concurrently([counts.of_this_process] * 8)
    assert len(began) == 2
    assert counts.happened.gather() == {}


@pytest.mark.real_commits
def test_process_with_counts_writes_them_at_an_interval(
    config: Config, app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_exit: list[Any] = []
    monkeypatch.setattr(count_writer, "EVERY_SECONDS", 0.05)
    monkeypatch.setattr(background.atexit, "register", lambda *what: at_exit.append(what))
    with process(config) as service:
        count_writer.write_regularly(service)
        ((last,),) = at_exit
        last()
        assert not service.extensions["counts"].has_begun, "the writer at the exit starts no thread"
        count(ACME_SHOP.appid, Measure.OPENED)
        until(lambda: rows(TOTALS) == [(1, 0, 0)])


def test_process_without_counts_sends_no_sql_statement() -> None:
    """The Flask app of this test has no database."""
    service = Flask("without a database")
    service.extensions["counts"] = Counts()
    with service.app_context():
        write_counts()


def test_counts_older_than_four_hundred_days_are_deleted(
    app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.extensions, "counts", Counts())
    moment = now()
    with app.app_context():
        for days in (0, 400, 401):
            monkeypatch.setattr(counting, "now", lambda ago=days: moment - timedelta(days=ago))
            count(ACME_SHOP.appid, Measure.OPENED)
            count_failure(ACME_SHOP.appid, "code_invalid")
            count_answer(ACME_SHOP.appid, "login", 0.1, True)
        write_counts()
        monkeypatch.setattr(counting, "now", lambda: moment)
        assert sum(count_old_counts()) == sum(drop_old_counts(1)) > 0
        kept = [(today(),), (today() - timedelta(days=400),)]
    for table in ("daily_counts", "daily_failures", "answer_times"):
        assert rows(f"SELECT day FROM {table} ORDER BY day DESC") == kept


@pytest.mark.real_commits
@pytest.mark.slow
def test_workers_write_their_counts_on_graceful_shutdown(
    config: Config, app: Flask, alice: Person, rows: Reader
) -> None:
    """The workers usually stop before the first write at the interval."""
    port, codes = str(free_port()), [alice.wx_login() for _ in range(20)]
    service = f"http://127.0.0.1:{port}"
    environ = dict(os.environ) | {"DATABASE_URL": config.database_url, "GUNICORN_WORKERS": "2"}
    environ |= {"PORT": port, "WECHAT_API_BASE_URL": config.wechat_api_base_url}
    command = [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.conf.py", "wsgi:app"]
    gunicorn = subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: is_ready(service))
        login = f"{service}/v1/apps/{ACME_SHOP.appid}/login"
        with ThreadPoolExecutor(20) as pool:
            bodies = [{"code": code} for code in codes]
            answers = pool.map(lambda body: requests.post(login, json=body, timeout=9), bodies)
            assert {answer.status_code for answer in answers} == {200}
    finally:
        gunicorn.send_signal(signal.SIGTERM)
        stderr = gunicorn.communicate(timeout=30)[1]
    assert gunicorn.returncode == 0, stderr
    assert rows(TOTALS) == [(20, 20, 0)]
    assert rows("SELECT sum(count)::int FROM answer_times") == [(20,)]
    assert "Traceback" not in stderr

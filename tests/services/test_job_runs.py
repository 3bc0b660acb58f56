"""Runs of periodic jobs: retention and backups."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from click.testing import Result
from flask import Flask

from app.services.job_runs import last_runs, record_job
from app.services.retention import batches
from tests.fixtures.personas import Reader

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    """Return a function that runs a CLI command."""
    runner = app.test_cli_runner()
    return lambda *arguments: runner.invoke(args=list(arguments), catch_exceptions=False)


def test_jobs_record_stores_the_time_of_the_database(app: Flask, rows: Reader, run: Run) -> None:
    assert run("jobs", "record", "backup").exit_code == 0
    assert rows("SELECT job, finished_at <= now() FROM job_runs") == [("backup", True)]
    with app.app_context():
        before = last_runs()["backup"]
    rows("UPDATE job_runs SET finished_at = finished_at - interval '2 days'")
    assert run("jobs", "record", "backup").exit_code == 0
    with app.app_context():
        assert before <= last_runs()["backup"] < before + timedelta(days=1)


def test_recorded_success_is_not_replaced_by_an_earlier_one(app: Flask, rows: Reader) -> None:
    rows("INSERT INTO job_runs VALUES ('backup', now() + interval '1 hour')")
    with app.app_context():
        record_job("backup")
    assert rows("SELECT finished_at > now() FROM job_runs") == [(True,)]


def test_jobs_list_shows_each_job_and_its_last_success(rows: Reader, run: Run) -> None:
    rows("INSERT INTO job_runs VALUES ('backup', '2026-01-02 03:04:05+08')")
    assert run("jobs", "list").output.splitlines() == [
        "backup\t2026-01-01T19:04:05+00:00",
        "retention\t-",
    ]


def test_jobs_record_accepts_backups_only(run: Run, rows: Reader) -> None:
    assert run("jobs", "record", "retention").exit_code == 2
    assert rows.count("job_runs") == 0


def test_successful_retention_is_recorded(app: Flask, rows: Reader, run: Run) -> None:
    assert run("retention", "run", "--dry-run").exit_code == 0
    assert rows.count("job_runs") == 0
    assert run("retention", "run").exit_code == 0
    assert rows("SELECT job FROM job_runs") == [("retention",)]


def test_retention_with_a_failed_step_is_not_recorded(
    rows: Reader, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise RuntimeError

    monkeypatch.setattr(batches, "_remove_few", fail)
    assert run("retention", "run").exit_code == 1
    assert rows.count("job_runs") == 0

"""Writing the counts of several apps and tenants: transactions, deleted apps, and failures."""

from collections.abc import Mapping
from random import Random
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from structlog.testing import capture_logs

from app.models import Measure
from app.services.metrics import count_writer
from app.services.metrics.count_rows import rows_by_app
from app.services.metrics.count_writer import write_counts
from app.services.metrics.counts import Counts, count, count_answer, count_failure
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, ACME_STAFF, GLOBEX_LIFE, Reader
from tests.services.login.test_concurrency import run_concurrently

APPIDS = [one.appid for one in (ACME_SHOP, ACME_CLUB, ACME_STAFF, GLOBEX_LIFE)]
TOTALS = "SELECT appid, sum(opened)::int FROM daily_counts GROUP BY appid ORDER BY appid"
BY_TENANT = (
    "SELECT slug, {sums} FROM {table} JOIN tenants ON id = tenant_id GROUP BY slug ORDER BY slug"
)
WITHIN_LIMIT = 2**31 - 1


@pytest.fixture
def counting(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The service without counts in memory."""
    monkeypatch.setitem(app.extensions, "counts", Counts())
    return app


def count_in(app: Flask, *appids: str) -> None:
    """Count an event of each kind in these apps."""
    with app.app_context():
        for appid in appids:
            count(appid, Measure.OPENED)
            count_failure(appid, "wechat_unavailable", -1)
            count_answer(appid, "login", 0.1, True)


def write(app: Flask) -> bool:
    """Write the counts of this process. Return whether that succeeded."""
    with app.app_context():
        return write_counts()


def test_counts_are_added_to_the_rows_of_their_tenants(counting: Flask, rows: Reader) -> None:
    for _ in range(2):
        count_in(counting, *APPIDS)
        assert write(counting)
    for table, sums in (
        ("daily_counts", "sum(opened)::int, sum(failed)::int"),
        ("daily_failures", "sum(count)::int, count(*)::int * 2"),
        ("answer_times", "sum(count)::int, count(*)::int * 2"),
        ("minute_counts", "sum(opened)::int, sum(failed)::int"),
        ("minute_failures", "sum(count)::int, sum(count)::int"),
    ):
        found = rows(BY_TENANT.format(sums=sums, table=table))
        assert found == [("acme", 6, 6), ("globex", 2, 2)], table


@pytest.mark.real_commits
@pytest.mark.parametrize(("most_rows", "transactions"), [(500, 1), (6, 2), (1, 4)])
def test_transaction_has_a_limited_number_of_rows(
    counting: Flask,
    rows: Reader,
    monkeypatch: pytest.MonkeyPatch,
    most_rows: int,
    transactions: int,
) -> None:
    monkeypatch.setattr(count_writer, "MOST_ROWS", most_rows)
    count_in(counting, *APPIDS)
    assert write(counting)
    assert rows("SELECT count(DISTINCT xmin::text) FROM daily_counts") == [(transactions,)]
    assert rows(TOTALS) == [(appid, 1) for appid in sorted(APPIDS)]


@pytest.mark.real_commits
def test_app_that_is_deleted_before_its_counts_are_inserted_does_not_affect_the_others(
    counting: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up, found = count_writer._tenants_of, []

    def look_up_and_delete(db: Any, appids: list[str]) -> Mapping[str, UUID]:
        found.append(look_up(db, appids))
        rows("DELETE FROM wechat_apps WHERE appid = :appid RETURNING 1", appid=ACME_CLUB.appid)
        return found[-1]

    monkeypatch.setattr(count_writer, "_tenants_of", look_up_and_delete)
    count_in(counting, *APPIDS)
    with capture_logs() as logs:
        assert write(counting)
        assert write(counting)
    others = sorted(set(APPIDS) - {ACME_CLUB.appid})
    assert rows(TOTALS) == [(appid, 1) for appid in others]
    assert ACME_CLUB.appid in found[0]
    assert logs == []


@pytest.mark.real_commits
def test_app_whose_counts_are_rejected_does_not_affect_the_others(
    counting: Flask, rows: Reader
) -> None:
    """A count of the first app would exceed the range of its column."""
    count_in(counting, ACME_SHOP.appid)
    write(counting)
    rows(f"UPDATE daily_counts SET opened = {WITHIN_LIMIT} RETURNING 1")
    count_in(counting, *APPIDS)
    with capture_logs() as logs:
        assert not write(counting)
        assert not write(counting)
    others = sorted(set(APPIDS) - {ACME_SHOP.appid})
    assert rows(TOTALS) == sorted([(ACME_SHOP.appid, WITHIN_LIMIT), *((one, 1) for one in others)])
    reasons = [(one["event"], one["error"], one["kept"]) for one in logs]
    assert reasons == [("counts_not_written", "NumericValueOutOfRange", 5)] * 2

    rows("UPDATE daily_counts SET opened = 1 WHERE appid = :one RETURNING 1", one=ACME_SHOP.appid)
    assert write(counting)
    assert rows(TOTALS) == sorted([(ACME_SHOP.appid, 2), *((one, 1) for one in others)])


@pytest.mark.real_commits
def test_sixteen_concurrent_writers_cause_no_deadlock(
    counting: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without ROW_ERRORS, a deadlock is not retried and fails the test."""
    monkeypatch.setattr(count_writer, "ROW_ERRORS", ())
    count_in(counting, *APPIDS)
    with counting.app_context():
        mine = counting.extensions["counts"]
        for tally in mine.tallies:
            tally.gather()
        gathered = rows_by_app(mine)

    def work(seed: int) -> int:
        random = Random(seed)
        with counting.app_context():
            for _ in range(25):
                some = random.sample(APPIDS, 3)
                assert count_writer._write({appid: gathered[appid] for appid in some}) == {*some}
        return 25 * 3

    written = run_concurrently([lambda seed=seed: work(seed) for seed in range(16)])
    assert rows("SELECT sum(opened)::int, sum(failed)::int FROM daily_counts") == [
        (sum(written), sum(written))
    ]
    assert rows("SELECT sum(count)::int FROM minute_failures") == [(sum(written),)]

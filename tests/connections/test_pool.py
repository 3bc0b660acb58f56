"""Database connection pool: broken connections are replaced, others returned clean."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.util.queue import Empty, Full

from app import connections
from app.connections import FairQueue
from app.errors import CodeUsed
from app.extensions import db
from app.services.database.transactions import autocommit, transaction
from tests.fixtures.waiting import until

pytestmark = pytest.mark.real_commits


def pid_of(connection: "psycopg.Connection[tuple[int]]") -> int:
    """Return the id of the PostgreSQL process that serves a connection."""
    return connection.info.backend_pid


def close_all_connections(app: Flask) -> None:
    """Make PostgreSQL close every other connection to the database."""
    with psycopg.connect(app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "")) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_connection_closed_by_postgresql_is_replaced_at_checkout(app: Flask) -> None:
    with app.app_context():
        with transaction() as one:
            one.execute(text("SELECT 1"))
        close_all_connections(app)
        with transaction() as one:
            assert one.scalar(text("SELECT 1")) == 1
        close_all_connections(app)
        with autocommit() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_autocommit_leaves_no_open_transaction(app: Flask) -> None:
    with app.app_context():
        with autocommit() as connection:
            assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
            connection.execute("SELECT 1")
            assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        assert not connection.autocommit


def test_the_same_connection_is_reused_after_an_exception_in_autocommit(app: Flask) -> None:
    with app.app_context():
        with pytest.raises(CodeUsed), autocommit() as first:
            raise CodeUsed
        with pytest.raises(psycopg.errors.DivisionByZero), autocommit() as second:
            second.execute("SELECT 1 / 0")
        with autocommit() as third:
            assert pid_of(first) == pid_of(second) == pid_of(third)


def test_a_connection_with_a_running_query_is_not_reused(app: Flask) -> None:
    with app.app_context():
        with autocommit() as abandoned:
            abandoned.pgconn.send_query(b"SELECT pg_sleep(0.2)")
        with autocommit() as connection:
            assert connection is not abandoned
            assert connection.execute("SELECT 2").fetchone() == (2,)
        assert db.engine.pool.checkedout() == 0


def test_checkout_raises_operational_error_while_the_database_is_lost(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_if_closed(connection: "psycopg.Connection[tuple[int]]") -> None:
        raise psycopg.OperationalError("closed immediately")

    with app.app_context():
        with autocommit() as connection:
            connection.execute("SELECT 1")
        monkeypatch.setattr(connections, "raise_if_closed", raise_if_closed)
        with pytest.raises(psycopg.OperationalError), autocommit():
            pass
        with pytest.raises((psycopg.OperationalError, OperationalError)), transaction() as one:
            one.execute(text("SELECT 1"))
        monkeypatch.undo()
        with autocommit() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert db.engine.pool.checkedout() == 0


def test_waiting_requests_get_connections_in_the_order_of_their_arrival() -> None:
    waiting, served = FairQueue(1), list[int]()

    def wait(number: int) -> None:
        waiting.get(True, 30)
        served.append(number)

    with ThreadPoolExecutor(20) as pool:
        for number in range(20):
            pool.submit(wait, number)
            until(lambda number=number: len(waiting._waiting) == number + 1)
        for number in range(20):
            waiting.put(entry())
            with pytest.raises(Empty):
                waiting.get(False)  # A new request does not take it.
            until(lambda number=number: len(served) == number + 1)
    assert served == list(range(20))


def test_requests_that_time_out_lose_no_connection() -> None:
    """Every entry is returned by one `get`, also if it arrives at the moment of a timeout."""
    passed_on = FairQueue(4)
    entries = [entry() for _ in range(4)]
    for one in entries:
        passed_on.put(one)

    def use(number: int) -> bool:
        try:
            one = passed_on.get(True, 0.0005)
        except Empty:
            return False
        time.sleep(0.0005)
        passed_on.put(one)
        return True

    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(use, range(2_000)))
    assert {True, False} == set(results)
    assert {id(passed_on.get(False)) for _ in range(4)} == set(map(id, entries))
    assert passed_on.qsize() == 0


@pytest.mark.parametrize(("use_lifo", "expected"), [(True, 1), (False, 0)])
def test_idle_connections_are_reused_in_the_configured_order(use_lifo: bool, expected: int) -> None:
    idle, entries = FairQueue(2, use_lifo), [entry(), entry()]
    for one in entries:
        idle.put(one)
    assert idle.get(False) is entries[expected]


def test_a_full_queue_accepts_no_further_connection() -> None:
    queue = FairQueue(1)
    queue.put(entry())
    with pytest.raises(Full):
        queue.put(entry())


def entry() -> Any:
    """Return a substitute for an entry of the pool."""
    return object()

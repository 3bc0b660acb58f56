"""The pool's connections: a dead one is replaced unseen, and a borrowed one is given back whole."""

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app import connections
from app.errors import CodeUsed
from app.extensions import db
from app.services.database.transactions import autocommit, transaction

pytestmark = pytest.mark.real_commits


def pid_of(connection: "psycopg.Connection[tuple[int]]") -> int:
    """Tell which of Postgres' processes serves a connection."""
    return connection.info.backend_pid


def end_all(app: Flask) -> None:
    """End every connection of this database but the one that asks."""
    with psycopg.connect(app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "")) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_connection_that_postgres_ended_is_replaced_unseen(app: Flask) -> None:
    """Otherwise each restart of Postgres fails as many requests as there are connections."""
    with app.app_context():
        with transaction() as one:
            one.execute(text("SELECT 1"))
        end_all(app)
        with transaction() as one:
            assert one.scalar(text("SELECT 1")) == 1
        end_all(app)
        with autocommit() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_statement_commits_by_itself_and_leaves_nothing_behind(app: Flask) -> None:
    """Otherwise the next to borrow the connection commits, or loses, what is not theirs."""
    with app.app_context():
        with autocommit() as connection:
            assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
            connection.execute("SELECT 1")
            assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        assert not connection.autocommit


def test_a_failure_inside_costs_no_connection(app: Flask) -> None:
    """Otherwise refusals, which anybody can cause, make the service connect anew each time."""
    with app.app_context():
        with pytest.raises(CodeUsed), autocommit() as first:
            raise CodeUsed
        with pytest.raises(psycopg.errors.DivisionByZero), autocommit() as second:
            second.execute("SELECT 1 / 0")
        with autocommit() as third:
            assert pid_of(first) == pid_of(second) == pid_of(third)


def test_a_connection_that_was_left_busy_is_nobodys(app: Flask) -> None:
    """Otherwise the next to borrow it reads the answer to another's question."""
    with app.app_context():
        with autocommit() as abandoned:
            abandoned.pgconn.send_query(b"SELECT pg_sleep(0.2)")
        with autocommit() as connection:
            assert connection is not abandoned
            assert connection.execute("SELECT 2").fetchone() == (2,)
        assert db.engine.pool.checkedout() == 0


def test_a_database_that_goes_away_is_away_and_no_fault_of_ours(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a restart of Postgres answers some requests with 500, and a traceback."""

    def look(connection: "psycopg.Connection[tuple[int]]") -> None:
        raise psycopg.OperationalError("closed as soon as it was there")

    with app.app_context():
        with autocommit() as connection:
            connection.execute("SELECT 1")
        monkeypatch.setattr(connections, "look", look)
        with pytest.raises(psycopg.OperationalError), autocommit():
            pass
        with pytest.raises((psycopg.OperationalError, OperationalError)), transaction() as one:
            one.execute(text("SELECT 1"))
        monkeypatch.undo()
        with autocommit() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert db.engine.pool.checkedout() == 0

"""Database connection pool: broken connections are replaced, others returned clean."""

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

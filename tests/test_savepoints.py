"""Deferred savepoints behave like the transactions of the service that they replace."""

from contextlib import suppress

import psycopg
import pytest
from flask import Flask
from sqlalchemy import TextClause, text
from sqlalchemy.exc import DBAPIError

from app.services.database.transactions import transaction
from tests.fixtures.personas import Reader

NAMES = "SELECT name FROM tenants ORDER BY slug"
READ, FAIL = text("SELECT 1"), text("SELECT 1 / 0")
RENAME = text("UPDATE tenants SET name = 'lost'")


def execute(app: Flask, *statements: TextClause) -> None:
    """Run statements in one transaction of the service."""
    with app.app_context(), transaction() as session:
        for statement in statements:
            session.execute(statement)


def test_a_failed_statement_undoes_only_its_own_transaction(app: Flask, rows: Reader) -> None:
    assert rows(NAMES) == [("Acme",), ("Globex",)]
    rows("UPDATE tenants SET name = 'kept' WHERE slug = 'acme'")
    for statements in ([FAIL], [READ, FAIL], [RENAME, FAIL], [READ, RENAME, FAIL]):
        with pytest.raises(DBAPIError):
            execute(app, *statements)
        assert rows(NAMES) == [("kept",), ("Globex",)], statements


def test_a_transaction_accepts_no_statement_after_a_failed_one(app: Flask, rows: Reader) -> None:
    assert rows(NAMES) == [("Acme",), ("Globex",)]
    with app.app_context(), transaction() as session:
        with suppress(DBAPIError):
            session.execute(FAIL)
        with pytest.raises(DBAPIError) as failed:
            session.execute(READ)
        session.rollback()
    assert isinstance(failed.value.orig, psycopg.errors.InFailedSqlTransaction)
    assert rows(NAMES) == [("Acme",), ("Globex",)]


def test_a_rolled_back_transaction_leaves_no_changes(app: Flask, rows: Reader) -> None:
    with app.app_context(), transaction() as session:
        session.execute(RENAME)
        session.rollback()
    assert rows(NAMES) == [("Acme",), ("Globex",)]


def test_a_rollback_to_a_nested_savepoint_keeps_the_outer_transaction(
    app: Flask, rows: Reader
) -> None:
    with app.app_context(), transaction() as session:
        session.execute(text("UPDATE tenants SET name = 'kept' WHERE slug = 'acme'"))
        nested = session.begin_nested()
        session.execute(READ)
        session.execute(RENAME)
        nested.rollback()
        session.execute(text("UPDATE tenants SET name = 'new' WHERE slug = 'globex'"))
    assert rows(NAMES) == [("kept",), ("new",)]

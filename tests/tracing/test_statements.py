"""Spans of SQL statements: tables and SQLSTATE, no values."""

import psycopg
import pytest
from flask import Flask
from opentelemetry import trace

from app.models import User
from app.models.columns import new_id
from app.services.database.transactions import autocommit, transaction
from app.services.login import fast_statements
from app.tracing.statements import summary_of
from tests.fixtures.personas import Client, Person, failure
from tests.tracing.conftest import Recorded, attributes_of


@pytest.mark.parametrize(
    ("statement", "summary"),
    [
        ("SELECT id FROM users WHERE phone = '13800138000'", "SELECT users"),
        ("select u.id from users u join phones p on true", "SELECT users SELECT phones"),
        ("INSERT INTO audit_events (id) VALUES (%s)", "INSERT audit_events"),
        ("UPDATE users SET nickname = 'users'", "UPDATE users"),
        ("DELETE FROM phones WHERE true", "DELETE phones"),
        ("SELECT id FROM users FOR UPDATE SKIP LOCKED", "SELECT users"),
        ("INSERT INTO users (id) SELECT 1 ON CONFLICT DO UPDATE SET id = 1", "INSERT users"),
        ("WITH x AS (SELECT * FROM users) SELECT * FROM x", "SELECT users"),
        ("SET LOCAL statement_timeout = 0", "SET"),
        ("SELECT 'wxp_secret'", "SELECT"),
        ("wxp_secret", "SQL"),
        ("SELECT * FROM wxp_secret", "SELECT"),
    ],
)
def test_a_summary_has_only_keywords_and_names_of_our_tables(statement: str, summary: str) -> None:
    assert summary_of(statement) == summary


def test_the_statements_of_frequent_logins_have_a_summary() -> None:
    assert summary_of(fast_statements.LOG_IN_KNOWN).count("INSERT") >= 2
    assert len(summary_of(fast_statements.LOG_IN_REGISTERED)) <= 255
    assert "users" in summary_of(fast_statements.LOG_IN_REGISTERED)


def test_every_statement_of_a_request_is_recorded_below_it(
    traced: Client, recorded: Recorded, alice: Person, statements: list[str]
) -> None:
    token = traced.bind(alice)["token"]
    recorded.clear()
    statements.clear()
    assert traced.me(token).status_code == 200

    spans = [one for one in recorded.all if one.kind.name == "CLIENT"]
    recorded_names = [one.name for one in spans if "SAVEPOINT" not in one.name]
    assert [summary_of(statement) for statement in statements] == [
        name for name in recorded_names if name not in ("SQL", "BEGIN", "RELEASE", "ROLLBACK")
    ]
    assert {attributes_of(one)["db.system.name"] for one in spans} == {"postgresql"}
    assert all(one.parent for one in spans)


def insert_invalid_user(*_: object) -> None:
    with transaction() as db:
        db.add(User(id=new_id(), tenant_id=new_id(), account="an-account", gender=9))


def test_the_span_of_a_failed_statement_has_sqlstate_and_constraint_but_no_value(
    traced: Client, recorded: Recorded, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = traced.bind(alice)["token"]
    recorded.clear()
    monkeypatch.setattr("app.services.users.users.show_user", insert_invalid_user)
    assert failure(traced.me(token)) == (500, "internal")

    (span,) = [one for one in recorded.all if one.name.endswith("INSERT users")]
    assert attributes_of(span)["db.response.status_code"] == "23514"
    assert attributes_of(span)["wxpass.db.constraint"] == "ck_users_gender"
    assert attributes_of(span)["error.type"] == "CheckViolation"
    assert span.status.description is None
    assert "an-account" not in "".join(one.to_json() for one in recorded.all)


def test_statements_of_the_driver_are_recorded_with_sqlstate(
    traced_app: Flask, recorded: Recorded
) -> None:
    tracer = traced_app.extensions["spans"].tracer
    with traced_app.app_context(), tracer.start_as_current_span("above"):
        engine = traced_app.extensions["sqlalchemy"].engines[None].engine
        pooled = engine.raw_connection()
        pooled.driver_connection.execute("SET LOCAL statement_timeout = 1")
        with pytest.raises(psycopg.errors.QueryCanceled):
            pooled.driver_connection.execute("SELECT pg_sleep(2)")
        pooled.close()
    failed = [one for one in recorded.all if not one.status.is_unset]
    assert {attributes_of(one)["db.response.status_code"] for one in failed} == {"57014"}


def test_statements_outside_of_requests_are_not_recorded(
    traced_app: Flask, recorded: Recorded
) -> None:
    with traced_app.app_context(), autocommit() as db:
        db.execute("SELECT 1", {})
    assert trace.get_current_span() is trace.INVALID_SPAN
    assert recorded.all == ()

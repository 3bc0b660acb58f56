"""Servers that accept no writes: requests get 503, and the pool replaces their connections."""

import secrets
from collections.abc import Callable, Iterator
from uuid import uuid4

import psycopg
import pytest
from flask import Flask
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.exc import InternalError

from app.connections import DeadlineConnection, hosts
from app.extensions import db
from app.services.database.transactions import autocommit, execute_locked, transaction
from app.services.metrics.count_writer import write_counts
from app.services.metrics.counts import counts
from app.services.sessions.last_seen import last_seen
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import Client, Person, enter_user, failure

pytestmark = pytest.mark.real_commits
WRITE = "UPDATE tenants SET name = name"


def pids(app: Flask, how_many: int = 3) -> set[int]:
    """Return the server processes of several connections of the pool."""
    with app.app_context():
        several = [db.engine.raw_connection() for _ in range(how_many)]
        found = {one.driver_connection.info.backend_pid for one in several}  # type: ignore[union-attr]
        for one in several:
            one.close()
    return found


@pytest.fixture
def unreported(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the database read-only for new connections, which do not notice it.

    So it is if a pooler moves a connection to another server.
    """
    monkeypatch.setattr(hosts, "identify", lambda *_: None)
    monkeypatch.setattr(DeadlineConnection, "is_read_only", lambda _: False)
    set_read_only(app, "on")
    with app.app_context():
        db.engine.dispose()
    try:
        yield
    finally:
        set_read_only(app, "off")


def set_read_only(app: Flask, value: str) -> None:
    """Set `default_transaction_read_only` of the database for new connections."""
    url = app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SET default_transaction_read_only = off")
        name = sql.Identifier(other.info.dbname)
        change = "ALTER DATABASE {} SET default_transaction_read_only = {}"
        other.execute(sql.SQL(change).format(name, sql.Literal(value)))


def refuse_write_in_transaction() -> None:
    with transaction() as session:
        session.execute(text("SET TRANSACTION READ ONLY"))
        session.execute(text(WRITE))


def refuse_write_in_autocommit() -> None:
    with autocommit() as connection:
        connection.execute("BEGIN READ ONLY")
        connection.execute(WRITE)


def refuse_write_in_pipeline() -> None:
    with autocommit() as connection:
        execute_locked(connection, "SET TRANSACTION READ ONLY", WRITE, {})


@pytest.mark.parametrize(
    "refuse", [refuse_write_in_transaction, refuse_write_in_autocommit, refuse_write_in_pipeline]
)
def test_all_connections_are_replaced_after_a_write_was_refused(
    app: Flask, refuse: Callable[[], None]
) -> None:
    before = pids(app)
    with (
        app.app_context(),
        pytest.raises((InternalError, psycopg.InternalError), match="read-only"),
    ):
        refuse()
    assert pids(app).isdisjoint(before)


def test_a_connection_that_reports_a_read_only_server_is_closed_at_checkin(app: Flask) -> None:
    """PostgreSQL reports the change with the response to any statement."""
    with app.app_context():
        with autocommit() as connection:
            connection.execute("SET default_transaction_read_only = on")
            connection.execute("SELECT 1")
            assert not connection.closed
        assert connection.closed
        with transaction() as session:
            session.execute(text(WRITE))


def test_an_idle_connection_that_reports_a_read_only_server_is_replaced_at_checkout(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        with autocommit() as first:
            first.execute("SELECT 1")
        monkeypatch.setattr(first, "is_read_only", lambda: True, raising=False)
        with autocommit() as second:
            assert second is not first
        assert first.closed


@pytest.mark.usefixtures("unreported")
def test_requests_that_write_get_503_and_succeed_when_the_primary_is_back(
    app: Flask, client: Client, alice: Person
) -> None:
    """The requests use the fast paths and the general paths."""
    code = alice.wx_login()
    bodies = [
        ("login", {"code": code}),
        ("password-login", {"account": "bob", "password": GOOD_PASSWORD}),
    ]
    for what, body in bodies:
        answer = client.post(what, **body)
        assert failure(answer) == (503, "database_unavailable"), what
        assert answer.headers["Retry-After"]
    answer = client.send("GET", "/readyz")
    assert failure(answer) == (503, "database_read_only")
    assert answer.headers["Retry-After"]
    set_read_only(app, "off")
    assert client.log_in(alice)["token"]
    assert client.send("GET", "/readyz").status_code == 200


def test_bindings_and_refreshes_get_503_from_a_read_only_server(
    app: Flask, client: Client, alice: Person, bob: Person, request: pytest.FixtureRequest
) -> None:
    token, login = client.log_in(alice)["token"], client.bind(bob)
    tap = alice.tap_phone_new()
    request.getfixturevalue("unreported")
    for answer in (
        client.post("phone", token, **tap),
        client.post("refresh", refresh_token=login["refresh_token"]),
    ):
        assert failure(answer) == (503, "database_unavailable")
        assert answer.headers["Retry-After"]
    set_read_only(app, "off")
    assert client.post("refresh", refresh_token=login["refresh_token"]).status_code == 200


def test_background_writers_keep_their_data_and_write_it_to_the_new_primary(
    app: Flask, client: Client, alice: Person, request: pytest.FixtureRequest
) -> None:
    use = (uuid4(), secrets.token_bytes(32))
    client.bind(alice)
    request.getfixturevalue("unreported")
    with app.app_context():
        uses = last_seen()
        uses.begin_writing = lambda: None
        try:
            uses.note(*use)
            uses.write()
            write_counts()
            assert use in uses._moments
            assert counts().happened.gather()
            set_read_only(app, "off")
            uses.write()
            write_counts()
            assert uses._moments == {}
            assert not counts().happened.gather()
        finally:
            uses.begin_writing = None


def test_commands_explain_a_read_only_server(app: Flask, request: pytest.FixtureRequest) -> None:
    enter_user(app, account="carol")
    request.getfixturevalue("unreported")
    refused = app.test_cli_runner().invoke(args=["tenants", "add", "initech", "--name", "Initech"])
    assert refused.exit_code == 1
    assert "database_read_only" in refused.output


def test_a_new_connection_to_a_read_only_server_is_refused(
    app: Flask, client: Client, alice: Person
) -> None:
    set_read_only(app, "on")
    try:
        with app.app_context():
            db.engine.dispose()
        assert failure(client.me("wxp_" + "x" * 43)) == (503, "database_unavailable")
        refused = app.test_cli_runner().invoke(args=["tenants", "list"])
        assert (refused.exit_code, "database_read_only" in refused.output) == (1, True)
        with app.app_context():
            assert db.engine.pool.checkedin() == 0
    finally:
        set_read_only(app, "off")
    assert client.log_in(alice)["token"]

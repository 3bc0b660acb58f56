"""Lists while the replica is behind, stopped, frozen or misconfigured: the primary answers."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from app import create_app
from app.connections import DeadlineConnection, ReplicaConnection
from app.extensions import REPLICA, db
from app.services.database import replica as replica_state
from app.services.database import stale_reads
from app.services.database.stale_reads import CaughtUpReads
from app.services.user_import import user_export
from app.services.user_import.user_export import Wanted, export_users
from config import Config
from tests.e2e.replica.conftest import dispose, renamed
from tests.e2e.replica.standby import Standby
from tests.fixtures.operators import Script, tenant_scope_of
from tests.fixtures.personas import Client, enter_user
from tests.fixtures.waiting import until

USERS = "/tenants/acme/users"
OperatorOf = Callable[..., Script]


def seconds_of(request: Callable[[], Any]) -> float:
    """Return how long a request takes. Assert that it succeeds."""
    began = time.monotonic()
    assert request().status_code == 200
    return time.monotonic() - began


@pytest.fixture
def ann(operator: OperatorOf) -> Script:
    return operator("tenant_admin", "acme")


def test_replica_that_is_too_far_behind_is_skipped_and_asked_again_after_a_pause(
    site: Flask,
    standby: Standby,
    ann: Script,
    on_replica: list[str],
    logged: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stale_reads, "MAX_LAG", timedelta(milliseconds=1))
    monkeypatch.setattr(replica_state, "PAUSE_SECONDS", 1.0)
    with standby.paused():
        enter_user(site, account="behind-1")
        assert "behind-1" in ann("GET", USERS).text
        on_replica.clear()
        for _ in range(3):
            assert ann("GET", USERS).status_code == 200
        assert on_replica == []
        assert logged == [("replica_skipped", "behind")]
    standby.catch_up()
    until(lambda: ann("GET", USERS).status_code == 200 and on_replica)
    assert logged[-1] == ("replica_resumed", "")


def test_replica_that_lost_the_primary_is_skipped_although_it_has_replayed_all_it_received(
    site: Flask, standby: Standby, ann: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stale_reads, "MAX_LAG", timedelta(milliseconds=1))
    with standby.cut_off():
        enter_user(site, account="cut-off")
        assert "cut-off" in ann("GET", USERS).text


def test_stopped_replica_neither_breaks_nor_slows_lists_and_is_used_after_its_restart(
    site: Flask,
    standby: Standby,
    ann: Script,
    on_replica: list[str],
    logged: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replica_state, "PAUSE_SECONDS", 0.5)
    assert seconds_of(lambda: ann("GET", USERS)) < 2
    standby.stop()
    try:
        assert seconds_of(lambda: ann("GET", USERS)) < 2
        assert logged == [("replica_skipped", "unreachable")]
    finally:
        standby.start()
    on_replica.clear()
    until(lambda: ann("GET", USERS).status_code == 200 and on_replica)


@pytest.mark.parametrize("is_connected", [True, False])
def test_frozen_replica_slows_one_list_for_a_short_time(
    is_connected: bool, site: Flask, standby: Standby, ann: Script, logged: list[tuple[str, str]]
) -> None:
    """A new connection waits for 2 s, the shortest time of libpq. A pooled one waits for 1 s."""
    if is_connected:
        assert ann("GET", USERS).status_code == 200
    with standby.frozen():
        assert seconds_of(lambda: ann("GET", USERS)) < 3.5
        for _ in range(3):
            assert seconds_of(lambda: ann("GET", USERS)) < 1
    assert logged == [("replica_skipped", "unreachable")]


def test_timeout_of_the_replica_does_not_shorten_the_waits_for_the_primary(
    site: Flask, standby: Standby, ann: Script
) -> None:
    assert ann("GET", USERS).status_code == 200
    with standby.frozen():
        assert ann("GET", USERS).status_code == 200
    assert ReplicaConnection.suspect_until > time.monotonic()
    assert DeadlineConnection.suspect_until == 0


def test_read_runs_again_on_the_primary_if_the_replica_freezes_in_the_middle(
    site: Flask, standby: Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReplicaConnection, "wait_seconds", 1.0)
    servers: list[bool] = []

    def read(session: Session) -> str:
        servers.append(bool(session.scalar(text("SELECT pg_is_in_recovery()"))))
        if servers[-1]:
            thread.start()
            frozen.wait(5)
        return str(session.scalar(text("SELECT 'whole'")))

    def freeze() -> None:
        with standby.frozen():
            frozen.set()
            done.wait(20)

    frozen, done, thread = threading.Event(), threading.Event(), threading.Thread(target=freeze)
    try:
        with site.app_context():
            assert CaughtUpReads().read(read) == "whole"
    finally:
        done.set()
        thread.join()
    assert servers == [True, False]


def test_query_that_conflicts_with_the_replay_runs_again_on_the_primary_without_a_pause(
    site: Flask, standby: Standby, logged: list[tuple[str, str]]
) -> None:
    standby.primary("CREATE TABLE conflict AS SELECT 1 AS one")
    standby.catch_up()

    def read(session: Session) -> bool:
        session.execute(text("SELECT * FROM conflict"))
        if is_standby := bool(session.scalar(text("SELECT pg_is_in_recovery()"))):
            standby.primary("ALTER TABLE conflict ADD two integer")
            session.execute(text("SELECT pg_sleep(3)"))
        return is_standby

    with site.app_context():
        assert CaughtUpReads().read(read) is False
        assert logged == [("replica_skipped", "recovery_conflict")]
        standby.catch_up()
        is_standby = text("SELECT pg_is_in_recovery()")
        assert CaughtUpReads().read(lambda session: session.scalar(is_standby)) is True


def test_export_continues_on_the_primary_if_the_replica_stops_in_the_middle(
    site: Flask, standby: Standby, monkeypatch: pytest.MonkeyPatch, on_replica: list[str]
) -> None:
    monkeypatch.setattr(user_export, "BATCH", 2)
    accounts = [enter_user(site, account=f"exported-{number}") for number in range(7)]
    scope = tenant_scope_of(site)
    with site.app_context():
        pieces = export_users(scope.actor, scope.tenant_id, Wanted("exported-"))
        read = [next(pieces), next(pieces)]
        assert any("FROM users" in statement for statement in on_replica)
        standby.stop()
        try:
            read += pieces
        finally:
            standby.start()
    rows = b"".join(read).decode().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == [f"exported-{n}" for n in range(len(accounts))]


def test_export_that_no_server_can_finish_raises_an_error(
    site: Flask, standby: Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The web server then closes the connection without the end of the chunked response."""
    monkeypatch.setattr(user_export, "BATCH", 2)
    for number in range(5):
        enter_user(site, account=f"cut-{number}")
    scope = tenant_scope_of(site)
    with site.app_context():
        pieces = export_users(scope.actor, scope.tenant_id, Wanted("cut-"))
        assert [bool(next(pieces)) for _ in range(2)] == [True, True]
        with renamed(standby, "users"), pytest.raises(DBAPIError):
            next(pieces)


def test_invalid_request_neither_repeats_the_read_nor_pauses_the_replica(
    site: Flask, standby: Standby, ann: Script, on_replica: list[str], logged: list[Any]
) -> None:
    assert ann("GET", f"{USERS}?cursor=forged").status_code == 422
    assert ann("GET", USERS).status_code == 200
    assert any("FROM users" in statement for statement in on_replica)
    assert logged == []


def test_slow_statement_is_not_run_a_second_time_on_the_primary(site: Flask) -> None:
    tries: list[int] = []

    def read(session: Session) -> None:
        tries.append(1)
        session.execute(text("SET LOCAL statement_timeout = '100ms'"))
        session.execute(text("SELECT pg_sleep(3)"))

    with site.app_context(), pytest.raises(OperationalError, match="statement timeout"):
        CaughtUpReads().read(read)
    assert tries == [1]


@pytest.mark.parametrize("server", ["standby", "primary"])
def test_write_is_refused_on_connections_of_the_replica(
    server: str, replica_config: Config, standby: Standby
) -> None:
    """Even if DATABASE_REPLICA_URL names the primary by mistake."""
    with app_with_replica(replica_config, server) as app, app.app_context():
        for _ in range(2):  # A new connection, and one that was returned to the pool.
            with Session(db.engines[REPLICA]) as session, pytest.raises(DBAPIError) as refused:
                session.execute(text("CREATE TABLE written (one integer)"))
            assert isinstance(refused.value.orig, psycopg.errors.ReadOnlySqlTransaction)


def test_server_that_is_no_standby_is_not_used(
    replica_config: Config, ann: Script, logged: list[tuple[str, str]]
) -> None:
    """A promoted standby has its own history, which may lack changes of the primary."""
    with app_with_replica(replica_config, "primary") as app:
        elsewhere = Script(Client(app), ann.email, ann.tokens)
        assert elsewhere("GET", USERS).status_code == 200
    assert logged == [("replica_skipped", "not_a_replica")]


@contextmanager
def app_with_replica(config: Config, server: str) -> Iterator[Flask]:
    """Create an instance of the service whose replica is the named server."""
    url = config.database_url if server == "primary" else config.database_replica_url
    app = create_app(replace(config, database_replica_url=url))
    yield app
    dispose(app)


def test_more_concurrent_lists_than_connections_use_the_primary(
    site: Flask, ann: Script, logged: list[tuple[str, str]]
) -> None:
    with site.app_context():
        engine = db.engines[REPLICA]
        held = [engine.connect() for _ in range(engine.pool.size())]  # type: ignore[attr-defined]
    try:
        assert seconds_of(lambda: ann("GET", USERS)) < 2
    finally:
        for connection in held:
            connection.close()
    assert logged == [("replica_skipped", "busy")]
    assert ann("GET", USERS).status_code == 200


def test_without_the_setting_there_is_no_replica_and_no_further_statement(
    replica_config: Config, ann: Script, on_replica: list[str]
) -> None:
    app = create_app(replace(replica_config, database_replica_url=None))
    elsewhere = Script(Client(app), ann.email, ann.tokens)
    assert elsewhere("GET", USERS).status_code == 200
    with app.app_context():
        assert list(db.engines) == [None]
    assert on_replica == []
    dispose(app)

"""The invalidation listener: reconnection, connection poolers and missing triggers."""

from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from flask import Flask
from structlog.testing import capture_logs

from app.services.cache import invalidation_listener
from app.services.cache.invalidation import EVERYTHING, InvalidationLog
from app.services.cache.invalidation_listener import Listener, subject_of
from app.services.cache.listened_nodes import ListenedNodes, ListenerLost
from app.services.database.server_checks import direct_addresses
from tests.fixtures.personas import Reader


class ListenerStopped(BaseException):
    """Raised by tests to end the loop of the listener."""


class StopWhenFresh(ListenedNodes):
    """Nodes that end the test once the only one is marked fresh."""

    def __init__(self, checks: int = 1) -> None:
        super().__init__(InvalidationLog())
        self.checks = checks

    def mark_fresh(self, number: int, asked_at: float) -> None:
        super().mark_fresh(number, asked_at)
        self.checks -= 1
        if not self.checks:
            raise ListenerStopped


class PooledConnection:
    """A connection through a pooler, which reports a made-up backend process id."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self.info = self
        self.backend_pid = connection.info.backend_pid + 1
        self.execute, self.notifies = connection.execute, connection.notifies

    def is_usable(self) -> bool:
        """Return True: a pooler reports no parameters of a standby."""
        return True


def connect() -> Listener:
    """Return the connection that the listener of the app's database would use."""
    (address,) = direct_addresses()
    return invalidation_listener._connect(address)


@pytest.mark.parametrize("payload", ["", "user:1", "x" * 64])
def test_notification_with_an_unknown_payload_invalidates_everything(payload: str) -> None:
    """A newer release, or an administrator with psql, may send a payload in another format."""
    assert subject_of(payload) == EVERYTHING


def test_listener_logs_an_unexpected_error_and_connects_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []

    class Failing:
        def connect(self, **_: object) -> Listener:
            raise ValueError("a surprise")

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            raise ListenerStopped

    monkeypatch.setattr(invalidation_listener, "time", SimpleNamespace(sleep=pause))
    with capture_logs() as logs, pytest.raises(ListenerStopped):
        invalidation_listener._keep_listening(Failing(), ListenedNodes(InvalidationLog()))
    assert [(one["event"], one["error"]) for one in logs] == [("caches_off", "ValueError")] * 2


@pytest.mark.real_commits
def test_listener_accepts_a_direct_connection(app: Flask) -> None:
    with (
        app.app_context(),
        connect() as connection,
        pytest.raises(ListenerStopped),
    ):
        invalidation_listener._listen(connection, StopWhenFresh())


@pytest.mark.real_commits
def test_check_of_a_single_server_takes_one_statement(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every process repeats it four times a second."""
    statements: list[str] = []
    with app.app_context(), connect() as connection:
        execute = connection.execute

        def record(statement: str, *parameters: Any) -> Any:
            statements.append(statement)
            return execute(statement, *parameters)

        monkeypatch.setattr(connection, "execute", record)
        with pytest.raises(ListenerStopped):
            invalidation_listener._listen(connection, StopWhenFresh(checks=3))
    listen, *checks = statements
    assert listen.startswith("LISTEN")
    assert len(checks) == 3
    assert not any("pg_dist_local_group" in statement for statement in checks)


@pytest.mark.real_commits
def test_listener_refuses_a_connection_through_a_pooler(app: Flask) -> None:
    """A pooler drops the notifications of connections that it lends to other clients."""
    with (
        app.app_context(),
        connect() as connection,
        pytest.raises(ListenerLost),
    ):
        invalidation_listener._listen(PooledConnection(connection), StopWhenFresh())  # type: ignore[arg-type]


@pytest.mark.real_commits
def test_listener_refuses_a_database_without_the_triggers(app: Flask, rows: Reader) -> None:
    """A process that is started before the migration would receive no invalidations."""
    rows("ALTER FUNCTION tell_of_change RENAME TO told_of_change")
    try:
        with (
            app.app_context(),
            connect() as connection,
            pytest.raises(ListenerLost),
        ):
            invalidation_listener._listen(connection, StopWhenFresh())
    finally:
        rows("ALTER FUNCTION told_of_change RENAME TO tell_of_change")

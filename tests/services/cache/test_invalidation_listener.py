"""The invalidation listener: reconnection, connection poolers and missing triggers."""

from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from flask import Flask
from structlog.testing import capture_logs

from app.services.cache import invalidation_listener
from app.services.cache.invalidation import EVERYTHING, InvalidationLog
from app.services.cache.invalidation_listener import ListenerLost, subject_of
from tests.fixtures.personas import Reader


class ListenerStopped(BaseException):
    """Raised by tests to end the loop of the listener."""


class StopWhenFresh(InvalidationLog):
    """An invalidation log that ends the test once it is marked fresh."""

    def mark_fresh(self, asked_at: float) -> None:
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


@pytest.mark.parametrize("payload", ["", "user:1", "x" * 64])
def test_notification_with_an_unknown_payload_invalidates_everything(payload: str) -> None:
    """A newer release, or an administrator with psql, may send a payload in another format."""
    assert subject_of(payload) == EVERYTHING


def test_listener_logs_an_unexpected_error_and_connects_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []

    def connect() -> None:
        raise ValueError("a surprise")

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            raise ListenerStopped

    monkeypatch.setattr(invalidation_listener, "_connect", connect)
    monkeypatch.setattr(invalidation_listener, "time", SimpleNamespace(sleep=pause))
    with capture_logs() as logs, pytest.raises(ListenerStopped):
        invalidation_listener._keep_listening(InvalidationLog())
    assert [(one["event"], one["error"]) for one in logs] == [("caches_off", "ValueError")] * 2


@pytest.mark.real_commits
def test_listener_accepts_a_direct_connection(app: Flask) -> None:
    with (
        app.app_context(),
        invalidation_listener._connect() as connection,
        pytest.raises(ListenerStopped),
    ):
        invalidation_listener._listen(connection, StopWhenFresh())


@pytest.mark.real_commits
def test_listener_refuses_a_connection_through_a_pooler(app: Flask) -> None:
    """A pooler drops the notifications of connections that it lends to other clients."""
    with (
        app.app_context(),
        invalidation_listener._connect() as connection,
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
            invalidation_listener._connect() as connection,
            pytest.raises(ListenerLost),
        ):
            invalidation_listener._listen(connection, StopWhenFresh())
    finally:
        rows("ALTER FUNCTION told_of_change RENAME TO tell_of_change")

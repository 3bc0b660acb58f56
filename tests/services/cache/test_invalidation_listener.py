"""Whoever listens goes on listening, and believes nothing that it could not hear."""

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


class Over(BaseException):
    """The test has seen enough."""


class AlwaysFresh(InvalidationLog):
    """Changes that are over as soon as they are believed."""

    def mark_fresh(self, asked_at: float) -> None:
        raise Over


class Lent:
    """A connection through a pooler, which makes up a process of Postgres for its clients."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self.info = self
        self.backend_pid = connection.info.backend_pid + 1
        self.execute, self.notifies = connection.execute, connection.notifies


@pytest.mark.parametrize("payload", ["", "user:1", "x" * 64])
def test_what_is_not_understood_is_about_everything(payload: str) -> None:
    """Otherwise a notice that a newer version sends, or a person with psql, changes nothing."""
    assert subject_of(payload) == EVERYTHING


def test_whatever_goes_wrong_is_told_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise one surprise leaves a worker without its caches until it ends, and says nothing."""
    pauses: list[float] = []

    def connect() -> None:
        raise ValueError("a surprise")

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            raise Over

    monkeypatch.setattr(invalidation_listener, "_connect", connect)
    monkeypatch.setattr(invalidation_listener, "time", SimpleNamespace(sleep=pause))
    with capture_logs() as logs, pytest.raises(Over):
        invalidation_listener._keep_listening(InvalidationLog())
    assert [(one["event"], one["error"]) for one in logs] == [("caches_off", "ValueError")] * 2


@pytest.mark.real_commits
def test_a_connection_of_its_own_is_believed(app: Flask) -> None:
    """Otherwise nothing is ever remembered."""
    with app.app_context(), invalidation_listener._connect() as connection, pytest.raises(Over):
        invalidation_listener._listen(connection, AlwaysFresh())


@pytest.mark.real_commits
def test_a_connection_that_a_pooler_lends_is_not_believed(app: Flask) -> None:
    """Otherwise a pooler whose connections all listen by now drops the notices unseen."""
    with (
        app.app_context(),
        invalidation_listener._connect() as connection,
        pytest.raises(ListenerLost),
    ):
        invalidation_listener._listen(Lent(connection), AlwaysFresh())  # type: ignore[arg-type]


@pytest.mark.real_commits
def test_nobody_is_believed_before_the_triggers_are_there(app: Flask, rows: Reader) -> None:
    """Otherwise a version that is started before its migration hears of no change at all."""
    rows("ALTER FUNCTION tell_of_change RENAME TO told_of_change")
    try:
        with (
            app.app_context(),
            invalidation_listener._connect() as connection,
            pytest.raises(ListenerLost),
        ):
            invalidation_listener._listen(connection, AlwaysFresh())
    finally:
        rows("ALTER FUNCTION told_of_change RENAME TO tell_of_change")

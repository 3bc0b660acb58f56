"""Counts by minute of a past that the test chooses."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from flask import Flask

from app.models import Measure
from app.services.failures import failing
from app.services.metrics import counts as counting
from app.services.metrics.count_writer import write_counts
from app.services.metrics.counts import Counts, count, count_failure
from tests.fixtures.personas import ACME_SHOP, App


class Minutes:
    """Counts logins and failures some minutes ago, at a time that stands still."""

    def __init__(self, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        self.app, self.monkeypatch = app, monkeypatch
        monkeypatch.setitem(app.extensions, "counts", Counts())
        self.stop_clock(counting.now().replace(second=30, microsecond=0))

    def stop_clock(self, moment: datetime) -> None:
        """Set the present."""
        self.now = moment
        self.monkeypatch.setattr(counting, "now", lambda: moment)
        self.monkeypatch.setattr(failing, "now", lambda: moment)

    def log_in(self, *ago: int, app: App = ACME_SHOP, times: int = 1) -> None:
        """Count logins in each of these minutes."""
        for minutes in ago:
            with self._at(minutes):
                for _ in range(times):
                    count(app.appid, Measure.LOGGED_IN)

    def fail(
        self,
        code: str,
        *ago: int,
        app: App = ACME_SHOP,
        errcode: int | None = None,
        our_ip: str | None = None,
        times: int = 1,
    ) -> None:
        """Count failures in each of these minutes."""
        for minutes in ago:
            with self._at(minutes):
                for _ in range(times):
                    count_failure(app.appid, code, errcode, our_ip)

    def ago(self, minutes: int) -> datetime:
        """Return the beginning of the minute."""
        return counting.minute_of(self.now - timedelta(minutes=minutes))

    @contextmanager
    def _at(self, minutes: int) -> Iterator[None]:
        moment = self.now - timedelta(minutes=minutes)
        with self.app.app_context(), self.monkeypatch.context() as patch:
            patch.setattr(counting, "now", lambda: moment)
            yield
        with self.app.app_context():
            write_counts()

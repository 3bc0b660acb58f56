"""The background threads of a worker that write its metrics."""

import atexit
import platform
import time
from collections.abc import Mapping
from pathlib import Path

import structlog
from flask import Flask

from app.metrics import recording
from app.metrics.definitions import ALERTS_SENT, BUILD_INFO, FAILED, OK
from app.metrics.labels import AppLabels
from app.metrics.store import Store
from app.models import ALERT_CHANNEL_KINDS
from app.monitoring.samples import Sampler
from app.monitoring.service_values import find_busiest_apps, read_values
from app.services.runtime import background
from app.version import VERSION
from config import Config
from config.metrics import snapshot

log = structlog.get_logger()

# The exported values are at most this old.
EVERY_SECONDS = 1.0
# The number of events after which other requests get the CPU.
AT_ONCE = 500
BUSIEST_EVERY_SECONDS = 3600.0


class WorkerMetrics:
    """The metrics of this worker process."""

    def __init__(self, app: Flask, config: Config) -> None:
        self._app = app
        self._config = config
        self._labels = AppLabels(config.metrics_apps)
        self._store = Store(self._labels)
        self._sampler = Sampler(app, self._store)
        # The tenants of the busiest apps by appid, and the time of the next look-up.
        self._busiest: Mapping[str, str] = {}
        self._busiest_due = 0.0

    def begin(self, folder: Path) -> None:
        """Begin to record and to write metrics. Called once in each worker, after the fork."""
        recording.switch(on=True)
        self._store.set(BUILD_INFO, {(VERSION, platform.python_version()): 1.0})
        # Prometheus sees the first failure only if the series begins at 0.
        self._store.add(
            (ALERTS_SENT, (kind, result), 0.0)
            for kind in ALERT_CHANNEL_KINDS
            for result in (OK, FAILED)
        )
        self.write()
        atexit.register(self.write)
        background.begin(self._app, "metrics", self._write_regularly)
        background.begin(self._app, "metrics-service", lambda: self._read_regularly(folder))

    def write(self) -> None:
        """Write the recorded events and the state of this process. Never raises."""
        try:
            while events := recording.take(AT_ONCE):
                self._store.add(events)
                time.sleep(0)
            with self._app.app_context():
                self._sampler.sample()
        except Exception as error:
            log.warning("metrics_not_written", error=type(error).__name__)

    def _write_regularly(self) -> None:
        background.every(EVERY_SECONDS, self.write)

    def _read_regularly(self, folder: Path) -> None:
        while True:
            self.read_service(folder)
            time.sleep(snapshot.EVERY_SECONDS)

    def read_service(self, folder: Path) -> None:
        """Read the busiest apps each hour, and the values of the service each minute."""
        try:
            snapshot.renew(folder, lambda: read_values(self._config, self._busiest))
            if time.monotonic() >= self._busiest_due:
                self._busiest = find_busiest_apps(self._config.metrics_apps)
                self._labels.add_busiest(self._busiest)
                self._busiest_due = time.monotonic() + BUSIEST_EVERY_SECONDS
        except Exception as error:
            log.warning("metrics_not_read", error=type(error).__name__)

"""The lag of the replica for `/metrics`."""

import time
from datetime import timedelta

import pytest
from flask import Flask

from app.monitoring.service_values import read_values
from app.services.database.stale_reads import ReplicaSkipped, read_replica_lag
from config import Config
from tests.e2e.replica.conftest import dispose
from tests.e2e.replica.standby import Standby
from tests.fixtures.waiting import until

CHANGE = "UPDATE tenants SET name = name"


def test_lag_is_the_age_of_the_newest_change_that_the_replica_has(
    site: Flask, standby: Standby
) -> None:
    with site.app_context():
        until(lambda: read_replica_lag() == timedelta())
        standby.primary(CHANGE)
        standby.catch_up()
        with standby.paused():
            time.sleep(0.5)
            standby.primary(CHANGE)
            assert read_replica_lag() > timedelta(seconds=0.5)
        standby.catch_up()
        until(lambda: read_replica_lag() == timedelta())


def test_lag_of_an_unreachable_replica_is_left_out(
    site: Flask, standby: Standby, replica_config: Config
) -> None:
    """`wxpass_replica_lag_seconds` is missing, and the other values remain."""
    standby.primary("ANALYZE users")
    standby.stop()
    try:
        dispose(site)
        with site.app_context():
            names = {value.name for value in read_values(replica_config, {})}
    finally:
        standby.start()
    assert "wxpass_replica_lag_seconds" not in names
    assert "wxpass_users" in names


def test_a_server_that_is_no_replica_has_no_lag(
    site: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site.app_context():
        monkeypatch.setattr("app.services.database.stale_reads.REPLICA", None)
        with pytest.raises(ReplicaSkipped):
            read_replica_lag()

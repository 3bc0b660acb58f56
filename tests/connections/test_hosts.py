"""Connecting to one of several hosts: order, deadline, and former primaries."""

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from flask import Flask

from app.connections import DeadlineConnection, ServerReadOnly, hosts
from app.connections.hosts import CONNECT_SECONDS, Connector, hosts_of
from app.connections.primary import Primary, Server, ServerOutdated
from app.extensions import db

pytestmark = pytest.mark.real_commits


class FakeConnection(DeadlineConnection):
    """A connection that the test's server would have accepted."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.was_closed = False

    def close(self) -> None:
        self.was_closed = True

    def __del__(self) -> None:
        """Do nothing: there is no connection."""


class Kind:
    """A replacement for the connection class. Hosts with the name `down` refuse connections."""

    def __init__(self) -> None:
        self.tried: list[str] = []

    def connect(self, *_: str, host: str, **__: Any) -> FakeConnection:
        self.tried.append(host)
        if host.startswith("down"):
            raise psycopg.OperationalError("refused")
        if host.startswith("full"):
            raise psycopg.OperationalError("sorry, too many clients already")
        return FakeConnection(host)


def connect(connector: Connector, kind: Kind, hosts: str) -> Any:
    """Connect to one of the hosts of a URL."""
    return connector.connect(kind, [], {"host": hosts})  # type: ignore[type-var]


@pytest.fixture
def connector(monkeypatch: pytest.MonkeyPatch) -> Connector:
    """A connector of `FakeConnection`s, whose servers do not reveal their timelines."""

    def identify(connection: FakeConnection, until: float) -> None:
        if connection.host.startswith("standby"):
            raise ServerReadOnly

    monkeypatch.setattr(hosts, "identify", identify)
    return Connector(Primary())


@pytest.fixture
def frozen_port() -> Iterator[int]:
    """A port that accepts connections and never answers, as a frozen server does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_each_host_gets_its_own_port_and_empty_ports_are_omitted() -> None:
    assert hosts_of({"host": "a,b", "port": "1,2"}) == [
        (("host", "a"), ("port", "1")),
        (("host", "b"), ("port", "2")),
    ]
    assert hosts_of({"host": "a,b", "port": ",2"})[0] == (("host", "a"),)
    assert hosts_of({"host": "a,b", "port": 5}) == [
        (("host", "a"), ("port", "5")),
        (("host", "b"), ("port", "5")),
    ]
    assert hosts_of({"hostaddr": "1.1.1.1,2.2.2.2"}) == [
        (("hostaddr", "1.1.1.1"),),
        (("hostaddr", "2.2.2.2"),),
    ]
    assert hosts_of({"dbname": "x"}) == [()]


def test_the_host_that_accepted_the_last_connection_is_tried_first(connector: Connector) -> None:
    kind = Kind()
    assert connect(connector, kind, "down,up").host == "up"
    assert connect(connector, kind, "down,up").host == "up"
    assert kind.tried == ["down", "up", "up"]


def test_a_host_that_failed_is_tried_after_those_that_did_not(connector: Connector) -> None:
    kind = Kind()
    with pytest.raises(psycopg.OperationalError):
        connect(connector, kind, "down1,down2")
    kind.tried.clear()
    assert connect(connector, kind, "down1,down2,up").host == "up"
    assert kind.tried == ["up"]


def test_a_host_for_which_no_time_was_left_is_tried_first_by_the_next_connection(
    connector: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look-up of a name has no deadline, and would use up the time of every connection."""
    kind = Kind()
    monkeypatch.setattr(hosts, "CONNECT_SECONDS", -1.0)
    with pytest.raises(psycopg.OperationalError, match="refused"):
        connect(connector, kind, "down,up")
    assert connect(connector, kind, "down,up").host == "up"
    assert kind.tried == ["down", "up"]


def test_a_standby_is_closed_and_the_next_host_is_used(connector: Connector) -> None:
    assert connect(connector, Kind(), "standby,up").host == "up"
    with pytest.raises(ServerReadOnly) as caught:
        connect(connector, Kind(), "standby,down")
    assert caught.value.sqlstate == "25006"


def test_the_connection_limit_of_the_primary_is_reported_before_other_failures(
    connector: Connector,
) -> None:
    with pytest.raises(psycopg.OperationalError, match="too many clients"):
        connect(connector, Kind(), "full,standby,down")


def test_several_frozen_hosts_share_one_deadline(frozen_port: int) -> None:
    ports = ",".join([str(frozen_port)] * 3)
    began = time.monotonic()
    with pytest.raises(psycopg.OperationalError):
        Connector(Primary()).connect(
            DeadlineConnection, [], {"host": ",".join(["127.0.0.1"] * 3), "port": ports}
        )
    assert time.monotonic() - began < CONNECT_SECONDS + 1


def test_a_frozen_host_delays_only_the_first_connection(app: Flask, frozen_port: int) -> None:
    with psycopg.connect(app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "")) as other:
        folder, name = other.info.host, other.info.dbname
        port, user = other.info.port, other.info.user
    options = {"host": f"127.0.0.1,{folder}", "port": f"{frozen_port},{port}"}
    options |= {"dbname": name, "user": user}
    connector, seconds = Connector(Primary()), []
    for _ in range(4):
        began = time.monotonic()
        connector.connect(DeadlineConnection, [], options).close()
        seconds.append(time.monotonic() - began)
    assert max(seconds[1:]) < 0.5 < seconds[0]


def test_a_new_timeline_begins_an_epoch_and_a_lower_one_is_refused() -> None:
    primary = Primary()
    first = primary.accept(Server("1", 4))
    assert primary.accept(Server("1", 4)) == first
    second = primary.accept(Server("1", 5))
    assert second != first
    with pytest.raises(ServerOutdated, match="timeline 4"):
        primary.accept(Server("1", 4))
    assert primary.epoch == second


def test_another_cluster_is_accepted_with_any_timeline() -> None:
    """An upgrade to a new major version begins with timeline 1."""
    primary = Primary()
    first = primary.accept(Server("1", 9))
    assert primary.accept(Server("2", 1)) != first


def test_several_refusals_of_one_epoch_begin_only_one_new_epoch() -> None:
    primary = Primary()
    opened_in = primary.epoch
    primary.reject(opened_in)
    primary.reject(opened_in)
    assert primary.epoch == opened_in + 1


def test_only_a_new_connection_asks_for_the_timeline_and_a_checkout_takes_no_round_trip(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **how: Any) -> Any:
            calls.append(name)
            return function(*arguments, **how)

        return call

    def calls_of_checkout() -> list[str]:
        calls.clear()
        connection = db.engine.raw_connection()
        found = list(calls)
        connection.close()
        return found

    with app.app_context():
        db.engine.raw_connection().close()
        monkeypatch.setattr(DeadlineConnection, "wait", counted("wait", DeadlineConnection.wait))
        monkeypatch.setattr(hosts, "identify", counted("identify", hosts.identify))
        assert calls_of_checkout() == []
        db.engine.dispose()
        assert calls_of_checkout().count("identify") == 1

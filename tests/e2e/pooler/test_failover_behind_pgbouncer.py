"""Failover with one PgBouncer in front of each database server, as docs/operations.md describes."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from flask import Flask

from config import Config
from config.database_readers import translate
from tests.e2e.failover.test_failover import (
    END,
    RECOVERY_SECONDS,
    checks,
    logs_in,
    many_checks,
    unexpected,
)
from tests.e2e.pooler.clients import new_person
from tests.fixtures.personas import Client, WeChat, service_of
from tests.fixtures.servers.gunicorn import INVALIDATION_SECONDS, Service, serving
from tests.fixtures.servers.pgbouncer import ROLE, documented, pooled
from tests.fixtures.servers.replication import DATABASE, Cluster, replicated_servers
from tests.fixtures.traffic import Traffic


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with replicated_servers() as cluster:
        primary, _ = cluster.servers
        primary(f"CREATE ROLE {ROLE} LOGIN")
        primary(f"ALTER DATABASE {DATABASE} OWNER TO {ROLE}")
        primary(documented("sql"))
        yield cluster


@pytest.fixture(scope="module")
def settings(cluster: Cluster, folder: Path) -> Iterator[dict[str, str]]:
    """The environment variables for two servers with a PgBouncer each."""
    with ExitStack() as stack:
        poolers = []
        for server in cluster.servers:
            own = folder / server.data.name
            own.mkdir()
            poolers.append(stack.enter_context(pooled(own, server)))
        ports = ",".join(f"127.0.0.1:{pooler.port}" for pooler in poolers)
        direct = ",".join(server.address for server in cluster.servers)
        target = f"{DATABASE}?target_session_attrs=read-write"
        yield {
            "DATABASE_URL": f"postgresql://{ROLE}@{ports}/{target}",
            "DATABASE_POOLER": "transaction",
            "DATABASE_LISTEN_URL": f"postgresql://{ROLE}@{direct}/{target}",
        }


@pytest.fixture(scope="module")
def replicated_app(settings: dict[str, str], config: Config, wechat: WeChat) -> Iterator[Flask]:
    """An instance of the service in this process, which does not use the poolers."""
    url = translate("DATABASE_URL", settings["DATABASE_LISTEN_URL"])
    with service_of(replace(config, database_url=url, database_pool_size=5)) as app:
        yield app


@pytest.fixture(scope="module")
def replicated_service(
    replicated_app: Flask,
    settings: dict[str, str],
    config: Config,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    with serving(config, tmp_path_factory.mktemp("service"), **settings) as service:
        service.workers(2)
        yield service


def test_workers_move_to_the_pooler_of_the_promoted_server(
    replicated_app: Flask, replicated_service: Service, cluster: Cluster, wechat: WeChat
) -> None:
    """The former primary is frozen and continues: its pooler still answers."""
    primary, standby = cluster.pair()
    login = Client(replicated_app).bind(new_person(wechat))
    ended = Client(replicated_app).bind(new_person(wechat))["token"]
    kinds = {
        "login": partial(logs_in, replicated_service, new_person(wechat)),
        "check": partial(checks, replicated_service, login["token"]),
    }
    traffic = Traffic(kinds, threads=2)
    with traffic.running():
        traffic.until_each_succeeds(0.0)
        primary.send(signal.SIGSTOP)
        standby.promote()
        promoted_at = time.monotonic()
        standby(END, ended.encode())
        time.sleep(INVALIDATION_SECONDS)
        assert 204 not in many_checks(replicated_service, lambda _: ended, 20)
        traffic.until_each_succeeds(promoted_at + RECOVERY_SECONDS)
        primary.send(signal.SIGCONT)
        for _ in range(5):
            assert set(many_checks(replicated_service, lambda _: ended)) == {401}
        continued_at = time.monotonic()
        traffic.until_each_succeeds(continued_at)
    assert unexpected(traffic.records) == []
    assert [str(one) for one in traffic.since(continued_at) if not one.has_succeeded] == []

"""Two PostgreSQL servers with synchronous replication, and gunicorn workers of the service."""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask

from config import Config
from config.database_readers import translate
from tests.fixtures.personas import Person, WeChat, service_of
from tests.fixtures.servers.gunicorn import Service, serving
from tests.fixtures.servers.replication import (
    DATABASE,
    Cluster,
    PostgresProcess,
    replicated_servers,
)

NUMBERS = itertools.count(13700000000)
Servers = tuple[PostgresProcess, PostgresProcess]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with replicated_servers() as cluster:
        yield cluster


@pytest.fixture
def servers(cluster: Cluster) -> Servers:
    """A primary server and its synchronous standby."""
    return cluster.pair()


@pytest.fixture(scope="module")
def both_hosts(cluster: Cluster) -> str:
    """The URL that names both servers."""
    hosts = ",".join(server.address for server in cluster.servers)
    return f"postgresql://postgres@{hosts}/{DATABASE}?target_session_attrs=read-write"


@pytest.fixture(scope="module")
def ha_app(config: Config, both_hosts: str, wechat: WeChat) -> Iterator[Flask]:
    """An instance of the service in this process, which fills the database."""
    url = translate("DATABASE_URL", both_hosts)
    with service_of(replace(config, database_url=url)) as app:
        yield app


@pytest.fixture(scope="module")
def ha_service(
    ha_app: Flask, config: Config, both_hosts: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A gunicorn with two workers that knows both servers."""
    folder = tmp_path_factory.mktemp("service")
    with serving(config, folder, DATABASE_URL=both_hosts) as service:
        service.workers(2)
        yield service


def people(wechat: WeChat, how_many: int) -> list[Person]:
    """Return new people with their own phone numbers."""
    numbers = itertools.islice(NUMBERS, how_many)
    return [Person(wechat, f"person {number}", str(number)) for number in numbers]

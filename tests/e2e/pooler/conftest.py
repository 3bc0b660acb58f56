"""PostgreSQL behind a real PgBouncer in transaction mode, and gunicorn workers of the service."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from flask import Flask

from config import Config
from config.database_readers import translate
from tests.fixtures.personas import WeChat, service_of
from tests.fixtures.servers.gunicorn import Service, serving
from tests.fixtures.servers.pgbouncer import ROLE, PgBouncer, documented, pooled
from tests.fixtures.servers.replication import DATABASE, PostgresProcess, new_server, server_folder


@dataclass
class Site:
    """PostgreSQL, PgBouncer, and the settings of a service that uses both."""

    server: PostgresProcess
    pooler: PgBouncer

    @property
    def direct_url(self) -> str:
        """Return the address of the database without the pooler."""
        return f"postgresql://{ROLE}@{self.server.address}/{DATABASE}"

    @property
    def settings(self) -> dict[str, str]:
        """Return the environment variables of the documentation for this site."""
        return {
            "DATABASE_URL": self.pooler.url,
            "DATABASE_POOLER": "transaction",
            "DATABASE_LISTEN_URL": self.direct_url,
        }

    def config(self, config: Config) -> Config:
        """Return settings with the addresses of this site."""
        return replace(
            config,
            database_url=translate("DATABASE_URL", self.pooler.url),
            database_pooler="transaction",
            database_listen_url=translate("DATABASE_LISTEN_URL", self.direct_url),
        )


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with server_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[Site]:
    server = new_server(folder, "server")
    try:
        server.create()
        server(f"CREATE ROLE {ROLE} LOGIN")
        server(f"ALTER DATABASE {DATABASE} OWNER TO {ROLE}")
        server(f"GRANT ALL ON SCHEMA public TO {ROLE}")
        server(documented("sql"))
        with pooled(folder, server) as pooler:
            yield Site(server, pooler)
    finally:
        server.remove()


@pytest.fixture(scope="module")
def pooled_app(site: Site, config: Config, wechat: WeChat) -> Iterator[Flask]:
    """An instance of the service in this process. Its database is migrated without the pooler."""
    direct = replace(config, database_url=translate("DATABASE_URL", site.direct_url))
    with service_of(replace(direct, database_pool_size=5)) as app:
        yield app


@pytest.fixture(scope="module")
def pooled_service(
    pooled_app: Flask, site: Site, config: Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A gunicorn with two workers that each have more connections than PgBouncer's pool."""
    folder = tmp_path_factory.mktemp("service")
    with serving(config, folder, DATABASE_POOL_SIZE="8", **site.settings) as service:
        service.workers(2)
        yield service

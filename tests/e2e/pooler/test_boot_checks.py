"""Startup behind PgBouncer: what it refuses, and the remedy in the message."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest
from flask import Flask
from flask_migrate import upgrade
from structlog.testing import capture_logs

from app import create_app
from app.boot import BootRefused, check_database
from app.connections import direct_engine
from app.extensions import db
from config import Config
from config.database_readers import translate
from tests.e2e.pooler.conftest import Site
from tests.fixtures.personas import Client, failure
from tests.fixtures.servers.pgbouncer import ROLE
from tests.fixtures.servers.replication import DATABASE

pytestmark = pytest.mark.usefixtures("pooled_app")


@contextmanager
def app_of(config: Config) -> Iterator[Flask]:
    """Create the service, and close its connections after the block."""
    app = create_app(config)
    yield app
    with app.app_context():
        db.engine.dispose()


def refusal_of(config: Config) -> str:
    """Return the message of a refused start. /readyz responds with the reason, too."""
    with app_of(config) as app:
        with pytest.raises(BootRefused) as refused:
            check_database(app)
        status, code = failure(Client(app).send("GET", "/readyz"))
    assert status == 503
    assert code.startswith(("database_pooler", "database_role", "database_listen"))
    return str(refused.value)


def undeclared(site: Site, config: Config) -> Config:
    """Return the settings of a site without DATABASE_POOLER and DATABASE_LISTEN_URL."""
    return replace(site.config(config), database_pooler=None, database_listen_url=None)


@contextmanager
def pooler_with(site: Site, **settings: str) -> Iterator[None]:
    """Restart PgBouncer with other settings for the duration of the block."""
    site.pooler.stop()
    site.pooler.start(**settings)
    try:
        yield
    finally:
        site.pooler.stop()
        site.pooler.start()


def test_the_documented_setup_passes_all_checks(site: Site, config: Config) -> None:
    with app_of(site.config(config)) as app:
        check_database(app)
        assert Client(app).send("GET", "/readyz").status_code == 200


def test_a_pooler_that_refuses_options_is_explained(site: Site, config: Config) -> None:
    message = refusal_of(undeclared(site, config))
    assert message.startswith("DATABASE_POOLER: ")
    assert "DATABASE_POOLER=transaction" in message
    assert "DATABASE_LISTEN_URL" in message


def test_commands_explain_a_pooler_that_refuses_options(site: Site, config: Config) -> None:
    with app_of(undeclared(site, config)) as app:
        refused = app.test_cli_runner().invoke(args=["tenants", "list"])
    assert refused.exit_code == 1
    assert "database_pooler_undeclared: DATABASE_POOLER: " in refused.output


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_a_pooler_that_ignores_options_is_detected_by_its_process_id(
    mode: str, site: Site, config: Config
) -> None:
    with pooler_with(site, ignore_startup_parameters="options", pool_mode=mode):
        message = refusal_of(undeclared(site, config))
    assert message.startswith("DATABASE_POOLER: ")


def test_a_role_without_timeouts_is_refused_with_the_statements_that_set_them(
    site: Site, config: Config
) -> None:
    site.server(f"ALTER ROLE {ROLE} RESET ALL")
    site.server(f"ALTER ROLE {ROLE} SET timezone = 'Asia/Shanghai'")
    with pooler_with(site):
        message = refusal_of(site.config(config))
    statements = re.findall(r"ALTER ROLE .*?;", message.partition("连接池")[0])
    assert [one.split(" SET ")[1].split(" =")[0] for one in statements] == [
        "statement_timeout",
        "idle_in_transaction_session_timeout",
        "timezone",
    ]
    with psycopg.connect(site.direct_url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)
    with pooler_with(site), app_of(site.config(config)) as app:
        check_database(app)


@pytest.mark.parametrize("where", ["the pooler", "another database"])
def test_a_listen_url_that_would_miss_notifications_is_refused(
    where: str, site: Site, config: Config
) -> None:
    url = site.pooler.url
    if where == "another database":
        url = site.direct_url.replace(f"/{DATABASE}", "/postgres")
    wrong = replace(site.config(config), database_listen_url=translate("DATABASE_LISTEN_URL", url))
    message = refusal_of(wrong)
    assert message.startswith("DATABASE_LISTEN_URL: ")


@pytest.mark.parametrize("refused", ["", "options"])
@pytest.mark.parametrize("setting", ["DATABASE_URL", "DATABASE_LISTEN_URL"])
def test_migrations_through_a_pooler_are_refused(
    setting: str, refused: str, site: Site, config: Config
) -> None:
    url = translate("DATABASE_LISTEN_URL", site.pooler.url)
    wrong = replace(site.config(config), database_listen_url=url)
    if setting == "DATABASE_URL":
        wrong = undeclared(site, config)
    with (
        pooler_with(site, ignore_startup_parameters=refused),
        app_of(wrong) as app,
        app.app_context(),
        pytest.raises(SystemExit) as stopped,
    ):
        upgrade()
    assert str(stopped.value).startswith(f"{setting}: leads to a connection pooler")


def test_migrations_of_another_database_than_that_of_the_service_are_refused(
    site: Site, config: Config
) -> None:
    url = translate("DATABASE_LISTEN_URL", site.direct_url.replace(f"/{DATABASE}", "/postgres"))
    wrong = replace(site.config(config), database_listen_url=url)
    with app_of(wrong) as app, app.app_context(), pytest.raises(SystemExit) as stopped:
        upgrade()
    assert str(stopped.value).startswith("DATABASE_LISTEN_URL: ")


def test_the_log_of_a_start_has_the_reason_of_an_unusable_database(
    site: Site, config: Config
) -> None:
    reason = "transaction blocks not allowed in statement pooling mode"
    with (
        pooler_with(site, pool_mode="statement"),
        app_of(site.config(config)) as app,
        capture_logs() as logged,
    ):
        check_database(app)
    (warning,) = [entry for entry in logged if entry["event"] == "database_unchecked"]
    assert reason in warning["reason"]


def test_a_direct_connection_passes_without_database_pooler(site: Site, config: Config) -> None:
    url = translate("DATABASE_URL", site.direct_url)
    with app_of(replace(config, database_url=url)) as app:
        check_database(app)


def test_the_engine_for_migrations_bypasses_the_pooler(site: Site, config: Config) -> None:
    with (
        app_of(site.config(config)) as app,
        app.app_context(),
        direct_engine().connect() as connection,
    ):
        driver = connection.connection.driver_connection
        assert driver is not None
        (pid,) = connection.exec_driver_sql("SELECT pg_backend_pid()").one()
        assert driver.info.backend_pid == pid
        assert driver.info.port == site.server.port

"""DATABASE_REPLICA_URL names a standby whose data are not those of the primary."""

from dataclasses import replace

from flask import Flask
from sqlalchemy import make_url, text

from app import create_app
from app.services.database import stale_reads
from config import Config
from tests.e2e.replica.conftest import SQLALCHEMY, dispose
from tests.e2e.replica.standby import Standby
from tests.fixtures.operators import Script, signed_in
from tests.fixtures.personas import Client


def test_another_database_of_the_standby_is_not_used(
    site: Flask, replica_config: Config, standby: Standby, logged: list[tuple[str, str]]
) -> None:
    """Its lists would be those of another installation."""
    operator = signed_in(site, "elsewhere@example.com", "tenant_admin", "acme")
    standby.primary("DELETE FROM audit_events WHERE actor_kind = 'operator'")
    standby.primary("CREATE DATABASE other_installation")
    standby.catch_up()
    url = make_url(standby.url.replace("postgresql://", SQLALCHEMY, 1))
    other = url.set(database="other_installation").render_as_string(hide_password=False)
    app = create_app(replace(replica_config, database_replica_url=other))
    elsewhere = Script(Client(app), operator.email, operator.tokens)
    assert elsewhere("GET", "/tenants/acme/users").status_code == 200
    dispose(app)
    assert logged == [("replica_skipped", "not_a_replica")]


def test_standby_of_another_cluster_is_not_used(site: Flask, logged: list[tuple[str, str]]) -> None:
    """The logs of two clusters cannot be compared: the higher position is not the later one."""
    with site.app_context():
        position = stale_reads.read_on_primary(stale_reads._read_position)
        _, number = position.database.split("/")
        read = stale_reads.read_stale(
            site.extensions["replica"],
            replace(position, database=f"1/{number}"),
            lambda db: db.scalar(text("SELECT pg_is_in_recovery()")),
        )
    assert read is False
    assert logged == [("replica_skipped", "not_a_replica")]

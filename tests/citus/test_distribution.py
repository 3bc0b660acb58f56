"""`flask db distribute` on a real Citus cluster."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask

from app import create_app
from app.models.distribution import REFERENCE_TABLES, TENANT_TABLES
from config import Config
from migrations import distribution
from tests.citus.conftest import CitusDatabase, new_database
from tests.fixtures.personas import add_tenants_and_apps, enter_user

KINDS = "SELECT table_name::text, citus_table_type FROM citus_tables"
# Excludes those of shards on the coordinator, whose names end with a number.
FOREIGN_KEYS = (
    "SELECT conname FROM pg_constraint WHERE contype = 'f' AND convalidated"
    r" AND conname !~ '_\d{6,}$' ORDER BY conname"
)


@pytest.fixture(scope="module")
def database(config: Config) -> Iterator[CitusDatabase]:
    """A migrated database that is not distributed."""
    with new_database(config) as database:
        yield database


@pytest.fixture(scope="module")
def service(database: CitusDatabase) -> Flask:
    """The service with tenants, mini-programs and users, before the conversion."""
    app = create_app(replace(database.settings(), database_listen_url=None))
    add_tenants_and_apps(app)
    for number in range(20):
        enter_user(app, account=f"user{number}")
    return app


def run(app: Flask, *arguments: str) -> str:
    """Run `flask db distribute` and return what it prints."""
    result = app.test_cli_runner().invoke(args=["db", "distribute", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_dry_run_prints_the_statements_and_changes_nothing(
    database: CitusDatabase, service: Flask
) -> None:
    printed = run(service, "--dry-run")
    for table in (*REFERENCE_TABLES, *TENANT_TABLES):
        assert f"'{table}'" in printed
    assert database(KINDS) == []


def test_conversion_keeps_rows_and_foreign_keys_and_a_second_run_changes_nothing(
    database: CitusDatabase, service: Flask
) -> None:
    before = database(FOREIGN_KEYS)
    run(service, "--shards", "8")
    kinds = dict(database(KINDS))
    assert {name for name, kind in kinds.items() if kind == "distributed"} == {*TENANT_TABLES}
    assert {name for name, kind in kinds.items() if kind == "reference"} == {*REFERENCE_TABLES}
    assert database(FOREIGN_KEYS) == before
    assert database("SELECT count(*) FROM users") == [(20,)]
    for table in ("users", "audit_events"):
        assert database(f"SELECT pg_relation_size('{table}')") == [(0,)], "removed here"
    assert "already" in run(service)


def test_table_of_a_later_migration_is_converted_by_the_next_run(
    database: CitusDatabase, service: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    database("CREATE TABLE later (tenant_id uuid REFERENCES tenants, id uuid,"
             " PRIMARY KEY (tenant_id, id))")  # fmt: skip
    monkeypatch.setattr(distribution, "TENANT_TABLES", (*TENANT_TABLES, "later"))
    printed = run(service)
    assert "create_distributed_table('later'" in printed
    assert "create_distributed_table('users'" not in printed
    assert dict(database(KINDS))["later"] == "distributed"

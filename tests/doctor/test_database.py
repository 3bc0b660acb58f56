"""Findings of `doctor` about the database, produced with real servers and roles."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import make_url

from app.doctor import capacity, clocks, database, schema
from app.doctor.findings import Deployment
from app.doctor.running import run_check
from app.keyring import KeyRing
from config import Config
from tests.doctor.conftest import Examine, findings_of
from tests.fixtures.migrated import migrated_database
from tests.fixtures.personas import Client, Person, Reader


@pytest.fixture
def superuser(app: Flask, config: Config) -> Iterator["psycopg.Connection[Any]"]:
    """A connection whose statements other connections see."""
    url = config.database_url.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def role(superuser: "psycopg.Connection[Any]") -> Iterator[str]:
    """A role of the tests' database that may read and write rows only."""
    name = f"limited_{secrets.token_hex(4)}"
    superuser.execute(f"CREATE ROLE {name} LOGIN")
    superuser.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    superuser.execute(
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}"
    )
    yield name
    superuser.execute(f"DROP OWNED BY {name}")
    superuser.execute(f"DROP ROLE {name}")


def url_of(config: Config, role: str) -> str:
    """Return the URL of the tests' database for another role."""
    url = make_url(config.database_url).set(username=role)
    return url.render_as_string(hide_password=False)


def test_limited_role_is_recognised(examine_new: Examine, config: Config, role: str) -> None:
    found = examine_new(database_url=url_of(config, role))
    assert {"role_limited", "role_ordinary", "migrations_applied", "keys_fit"} <= set(found)
    assert "role_superuser" not in found


def test_missing_rights_are_named(
    examine_new: Examine, config: Config, role: str, superuser: "psycopg.Connection[Any]"
) -> None:
    superuser.execute(f"REVOKE DELETE ON users FROM {role}")
    superuser.execute(f"REVOKE INSERT, SELECT ON phones FROM {role}")
    found = examine_new(database_url=url_of(config, role))["role_lacks_rights"]
    assert "phones: SELECT, INSERT; users: DELETE" in found["what"]["en"]
    assert "roles.sql" in found["remedy"]["en"]


def test_privileges_beyond_rows_are_reported(
    examine_new: Examine, config: Config, role: str, superuser: "psycopg.Connection[Any]"
) -> None:
    superuser.execute(f"ALTER ROLE {role} CREATEDB CREATEROLE")
    superuser.execute(f"GRANT TRUNCATE ON users TO {role}")
    found = examine_new(database_url=url_of(config, role))
    assert "NOCREATEROLE NOCREATEDB" in found["role_powerful"]["remedy"]["en"]
    assert "role_changes_schema" in found


def test_database_without_migrations_is_reported(config: Config, deployment: Deployment) -> None:
    with migrated_database(config) as empty:
        found = findings_of(empty.app, deployment)
    assert found["migrations_missing"]["level"] == "error"
    assert "db upgrade" in found["migrations_missing"]["remedy"]["en"]


def test_connections_are_compared_with_those_of_the_server(examine: Examine) -> None:
    found = examine("--hosts", "100", environ={"GUNICORN_WORKERS": "2"})["connections_too_few"]
    assert "31 × 2 × 100 = 6200" in found["what"]["en"]
    assert "max_connections" in found["remedy"]["en"]
    fine = examine("--hosts", "2", environ={"GUNICORN_WORKERS": "2"}, database_pool_size=4)
    assert "5 × 2 × 2 = 20" in fine["connections_suffice"]["what"]["en"]


def test_pooled_connections_to_the_server_are_those_for_notifications(
    app: Flask, deployment: Deployment
) -> None:
    config = replace(deployment.settings, database_pooler="transaction")
    environ = dict(deployment.environ) | {"GUNICORN_WORKERS": "3"}
    pooled = Deployment(environ, config, hosts=2)
    (found,) = run_check(app, capacity.check_connections, pooled, 10)
    assert "1 × 3 × 2 = 6" in found.what.en


@pytest.mark.parametrize(
    ("seconds", "level"), [(0, "ok"), (1.5, "ok"), (-5, "warning"), (30, "warning"), (-90, "error")]
)
def test_clock_is_compared_with_the_database(
    seconds: float, level: str, app: Flask, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = clocks.time.time
    monkeypatch.setattr(clocks, "time", FakeTime(lambda: real() + seconds))
    (found,) = run_check(app, clocks.check_database_clock, deployment, 10)
    assert found.level == level
    assert ("ahead of" in found.what.en) == (level != "ok" and seconds > 0)


class FakeTime:
    """The module `time` with another clock."""

    def __init__(self, time: object) -> None:
        self.time = time


@pytest.mark.parametrize(("is_accepted", "level"), [(False, "error"), (True, "warning")])
def test_unencrypted_connection_to_another_machine_is_reported(
    is_accepted: bool,
    level: str,
    app: Flask,
    deployment: Deployment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The tests' database has no TLS. It is on this machine, so the check is told otherwise."""
    monkeypatch.setattr(database, "is_on_this_machine", lambda host: False)
    tls = "trusted-network" if is_accepted else "required"
    config = replace(deployment.settings, database_tls=tls)
    (found,) = run_check(app, database.check_tls, replace(deployment, config=config), 10)
    assert (found.level, found.code) == (level, "database_unencrypted")


def test_jobs_are_reported_after_two_days(examine: Examine, rows: Reader) -> None:
    rows("INSERT INTO job_runs VALUES ('backup', now() - interval '49 hours')")
    rows("INSERT INTO job_runs VALUES ('retention', now() - interval '47 hours')")
    found = examine()
    assert found["backup_outdated"]["level"] == "error"
    assert "49 hours ago" in found["backup_outdated"]["what"]["en"]
    assert "retention_recent" in found


def test_rows_under_old_keys_and_missing_keys_are_reported(
    examine_new: Examine, config: Config, client: Client, alice: Person, rows: Reader
) -> None:
    client.log_in(alice)
    old, new = config.keys[0], (f"n{secrets.token_hex(4)}", secrets.token_bytes(32))
    assert KeyRing((new, old), config.pepper).first == new[0]
    found = examine_new(keys=(new, old))
    assert old[0] in found["keys_old"]["what"]["en"]
    rows(f"DELETE FROM key_proofs WHERE name = '{new[0]}'")
    missing = examine_new(keys=(new,))["encryption_key_missing"]
    assert (missing["level"], old[0] in missing["what"]["en"]) == ("error", True)
    assert "pepper_wrong" in examine_new(pepper=b"q" * 40)


def test_search_for_old_keys_that_takes_too_long_is_reported(
    examine_new: Examine, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "is_key_used_within", lambda *_: None)
    new = (f"n{secrets.token_hex(4)}", secrets.token_bytes(32))
    found = examine_new(keys=(new, config.keys[0]))
    assert found["keys_not_counted"]["level"] == "ok"
    assert "keys_removable" not in found


def test_pooler_that_is_declared_without_need_is_reported(
    examine_new: Examine, config: Config
) -> None:
    """The role of the tests has no timeouts, which a pooler needs."""
    found = examine_new(database_pooler="transaction", database_listen_url=config.database_url)
    assert "ALTER ROLE CURRENT_USER SET" in found["database_role_unfit"]["what"]["en"]


def test_replica_that_is_no_standby_is_reported(examine_new: Examine, config: Config) -> None:
    found = examine_new(database_replica_url=config.database_url)
    assert found["replica_not_standby"]["level"] == "error"

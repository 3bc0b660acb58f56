"""The service with a role that can only read and write rows (deploy/postgresql/roles.sql)."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from psycopg.errors import InsufficientPrivilege, RaiseException

from app import create_app
from app.extensions import db
from config import Config
from tests.admin.console.browser import signed_in as signed_in_browser
from tests.fixtures.operators import enable_one_time_codes, signed_in
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import Client, Person, Reader, enter_user
from tests.fixtures.servers.debian_postgres import OWNER, SERVICE, limited, url_of
from tests.fixtures.servers.replication import PostgresProcess

DAY_MILLISECONDS = 86_400_000
REFUSED = (
    "CREATE TABLE mine (id int)",
    "CREATE TEMPORARY TABLE mine (id int)",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE ROLE mine",
    "DROP TABLE phones",
    "DROP FUNCTION refuse_change() CASCADE",
    "DROP TRIGGER append_only ON audit_events",
    "DROP DATABASE wxpass",
    "ALTER TABLE users ADD COLUMN mine int",
    "DROP TRIGGER append_only ON platform_audit_events",
    "ALTER TABLE audit_events DISABLE TRIGGER ALL",
    "ALTER DATABASE wxpass SET session_replication_role = replica",
    "CREATE INDEX mine ON users (id)",
    "TRUNCATE users CASCADE",
    "TRUNCATE audit_events",
    "TRUNCATE platform_audit_events",
    "SET session_replication_role = replica",
    "SET ROLE wxpass_owner",
    "COPY users TO PROGRAM 'cat'",
)


@pytest.fixture
def session(migrated: PostgresProcess) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """A database session of the role of the service."""
    with psycopg.connect(url_of(migrated, SERVICE), autocommit=True) as connection:
        yield connection


def test_the_service_is_ready_and_users_log_in_bind_refresh_and_leave(
    limited_app: Flask, alice: Person, bob: Person
) -> None:
    client = Client(limited_app)
    assert client.send("GET", "/readyz").status_code == 200

    first = client.log_in(alice)
    assert client.post("profile", first["token"], **alice.tap_user_info()).status_code == 200
    bound = client.post("phone", first["token"], **alice.tap_phone_new()).json
    refreshed = client.post("refresh", refresh_token=bound["refresh_token"]).json
    assert client.me(refreshed["token"]).json["phone"] == "+8613800138001"
    assert client.send("GET", "/v1/me/export", refreshed["token"]).status_code == 200
    assert client.send("DELETE", "/v1/me", refreshed["token"]).status_code < 300

    enter_user(limited_app, account="milton", password=GOOD_PASSWORD)
    login = {"account": "milton", "password": GOOD_PASSWORD}
    session = client.log_in(bob, **login)
    assert session["bound"]
    assert client.post("unbind", session["token"]).status_code == 200
    assert client.post("logout", client.log_in(bob, **login)["token"]).status_code == 204


def test_operators_use_the_console_and_the_admin_api(limited_app: Flask) -> None:
    user_id = enter_user(limited_app, account="peter", password=GOOD_PASSWORD)
    admin = signed_in(limited_app, "api@acme.example", "tenant_admin", "acme")
    for path in ("users", "audit", "sessions", "overview", "apps"):
        assert admin("GET", f"/tenants/acme/{path}").status_code == 200, path
    body = {"status": "disabled"}
    assert admin("PATCH", f"/tenants/acme/users/{user_id}", json=body).status_code == 200

    browser = signed_in_browser(limited_app)
    for page in ("/", "/users/", "/sessions/", "/audit/", "/apps/"):
        assert browser.get(page).status_code == 200, page
    enable_one_time_codes(limited_app, "api@acme.example")


def test_commands_import_export_and_delete(limited_app: Flask, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("account,phone\nmichael,13800138007\n")
    for command in (
        f"users import {tmp_path}/people.csv --tenant globex",
        "users export --tenant globex",
        "users normalise-accounts",
        "tenants set globex --audit-days 180 --visitor-days 1 --grace-days 0",
        "tenants overview globex",
        "apps set wxbbbb000000000001 --session-limit 5",
        "jwt-keys rotate",
        "audit list globex",
        "pushes retry",
        "keys check",
    ):
        run(limited_app, command)


def test_retention_deletes_due_rows_of_every_protected_kind(limited_app: Flask) -> None:
    rows = Reader(limited_app)
    old = UUID(int=(1_500_000_000_000 + DAY_MILLISECONDS) << 80)
    rows(
        "INSERT INTO audit_events (id, tenant_id, actor_kind, action, subject, created_at)"
        " SELECT :old, id, 'user', 'old', 'x', '2017-07-15' FROM tenants WHERE slug = 'acme'",
        old=old,
    )
    user_id = enter_user(limited_app, account="samir", password=GOOD_PASSWORD)
    rows("UPDATE users SET erase_after = now() - interval '1 day' WHERE id = :id", id=user_id)
    rows("UPDATE social_accounts SET last_login_at = now() - interval '4000 days'")

    output = run(limited_app, "retention run")

    assert "failed\t0" in output
    assert rows.count("audit_events", f"id = '{old}'") == 0
    assert rows.count("users", f"id = '{user_id}'") == 0


def test_keys_are_rotated(limited_app: Flask, migrated: PostgresProcess, config: Config) -> None:
    new = ("k9", b"9" * 32)
    own = limited(config, migrated)
    assert "k9\twechat_apps.secret_sealed" in rotate(replace(own, keys=(new, *config.keys)))
    # The other tests use the old key.
    assert "k9\t-\t0" in rotate(replace(own, keys=(*config.keys, new)))


def rotate(config: Config) -> str:
    """Rotate the keys in another process. Return the output of `keys check`."""
    app = create_app(config)
    run(app, "keys rotate")
    output = run(app, "keys check")
    with app.app_context():
        db.engine.dispose()
    return output


@pytest.mark.parametrize("statement", REFUSED)
def test_the_role_cannot_change_the_schema(
    session: "psycopg.Connection[tuple[object, ...]]", statement: str
) -> None:
    with pytest.raises(InsufficientPrivilege):
        session.execute(statement.encode())


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_events SET ip = ''", "DELETE FROM audit_events"]
)
def test_the_role_cannot_change_audit_events(
    limited_app: Flask, session: "psycopg.Connection[tuple[object, ...]]", statement: str
) -> None:
    """Not even with the setting of retention, which only permits the deletion of old events."""
    session.execute("SET wxpass.retention = 'on'")
    with pytest.raises(RaiseException, match="append only"):
        session.execute(statement.encode())


def test_tables_of_later_migrations_can_be_read_and_written_but_not_emptied(
    migrated: PostgresProcess, session: "psycopg.Connection[tuple[object, ...]]"
) -> None:
    with psycopg.connect(url_of(migrated, OWNER), autocommit=True) as owner:
        owner.execute("CREATE TABLE later (id int GENERATED BY DEFAULT AS IDENTITY, name text)")
        try:
            session.execute("INSERT INTO later (name) VALUES ('x')")
            session.execute("UPDATE later SET name = 'y'")
            assert session.execute("DELETE FROM later RETURNING id, name").fetchall() == [(1, "y")]
            with pytest.raises(InsufficientPrivilege):
                session.execute("TRUNCATE later")
        finally:
            owner.execute("DROP TABLE later")


def run(app: Flask, command: str) -> str:
    """Run a command, which must succeed. Return its output."""
    result = app.test_cli_runner().invoke(args=command.split())
    assert result.exit_code == 0, (command, result.output)
    return str(result.output)

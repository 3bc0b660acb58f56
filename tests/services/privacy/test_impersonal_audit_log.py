"""Personal data in audit events: not recorded any more, and cleared from old events."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
import pytest
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import downgrade, upgrade
from psycopg import Connection, sql
from sqlalchemy.exc import DBAPIError

from app import create_app
from app.extensions import db
from app.models.columns import new_id
from app.services import audit
from app.services.apps.tenants import tenant_id_of
from app.services.user_import.user_export import Wanted, export_users
from app.settings import MIGRATIONS
from config import Config
from tests.fixtures.operators import signed_in
from tests.fixtures.personas import Client, Person, Reader

ALLOW = "SELECT set_config('wxpass.retention', 'on', true)"
APPEND_ONLY = "audit_events is append only"
QUERY, NUMBER = "小花 Lily", "138****8001"
EXPORTED = {"people": "1", "columns": "account", "query": QUERY, "status": ""}
RELEASED = {"before": {"phone": NUMBER}, "after": {"phone": None}}
MERGED = {"before": {"status": "active", "phone": NUMBER}, "after": {"moved": 1}, "into": "x"}
# Actions and details as written before migration 0016, each with the cleared details.
OLD: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "users.exported",
        EXPORTED,
        {"people": "1", "columns": "account", "filtered": "yes", "status": ""},
    ),
    ("users.exported", {"people": "2", "query": ""}, {"people": "2", "filtered": "no"}),
    ("phone.released", RELEASED, RELEASED | {"before": {"phone": "set"}}),
    ("user.merged", MERGED, MERGED | {"before": {"status": "active", "phone": "set"}}),
    # No personal data.
    ("user.merged", {"into": "x"}, {"into": "x"}),
    ("user.merged", {"before": {"phone": None}}, {"before": {"phone": None}}),
    ("phone.released", {}, {}),
    (
        "user.changed",
        {"before": {"phone": "x"}, "query": "y"},
        {"before": {"phone": "x"}, "query": "y"},
    ),
]
INSERT = (
    "INSERT INTO audit_events (id, tenant_id, actor_kind, action, subject, ip, details)"
    " VALUES (%s, %s, 'operator', %s, 'x', '192.0.2.1', %s)"
)


def record_event(rows: Reader, action: str, details: dict[str, Any]) -> None:
    """Insert an audit event of acme, as a release before migration 0016 would."""
    rows(
        "INSERT INTO audit_events (id, tenant_id, actor_kind, action, subject, ip, details)"
        " SELECT :id, id, 'operator', :action, 'x', '192.0.2.1', cast(:details AS jsonb)"
        " FROM tenants WHERE slug = 'acme'",
        id=new_id(),
        action=action,
        details=json.dumps(details),
    )


# Recording


@pytest.mark.parametrize(
    ("query", "filtered"), [(QUERY, "yes"), ("13800138001", "yes"), ("", "no")]
)
def test_audit_event_of_a_user_export_omits_the_search_text(
    app: Flask, rows: Reader, query: str, filtered: str
) -> None:
    with app.app_context():
        export_users(audit.OPERATOR, tenant_id_of("acme"), Wanted(query=query))
    ((details,),) = rows("SELECT details FROM audit_events WHERE action = 'users.exported'")
    assert details["filtered"] == filtered
    assert "query" not in details
    assert not query or query not in json.dumps(details, ensure_ascii=False)


def test_audit_events_of_phone_release_and_merge_omit_the_phone_number(
    app: Flask, client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    """Even a masked number can identify a person among few candidates."""
    ann = signed_in(app, "ann@acme.example", "tenant_admin", "acme")
    one, other = (client.bind(person)["user"]["id"] for person in (alice, bob))
    users = "/tenants/acme/users"
    assert ann("DELETE", f"{users}/{other}/phone").status_code == 204
    assert ann("POST", f"{users}/{one}/merge", json={"into_id": other}).status_code == 200
    events = dict(rows("SELECT action, details FROM audit_events WHERE details ? 'before'"))
    assert events["phone.released"]["before"] == {"phone": "set"}
    assert events["user.merged"]["before"] == {"status": "active", "phone": "set"}
    assert "****" not in json.dumps(events)


# Clearing


@pytest.mark.parametrize(("action", "old", "cleared"), OLD)
def test_retention_clears_personal_data_from_the_details_of_old_audit_events(
    rows: Reader, action: str, old: dict[str, Any], cleared: dict[str, Any]
) -> None:
    record_event(rows, action, old)
    clear = "UPDATE audit_events SET details = impersonal_details(action, details)"
    for _ in range(2):
        rows(f"{ALLOW}; {clear} WHERE subject = 'x'")
        assert rows("SELECT details FROM audit_events WHERE subject = 'x'") == [(cleared,)]


def test_ip_address_and_details_of_an_audit_event_can_be_cleared_in_one_update(
    rows: Reader,
) -> None:
    record_event(rows, "users.exported", EXPORTED)
    both = "ip = NULL, details = impersonal_details(action, details)"
    rows(f"{ALLOW}; UPDATE audit_events SET {both} WHERE subject = 'x'")
    ((ip, details),) = rows("SELECT ip, details FROM audit_events WHERE subject = 'x'")
    assert (ip, details["filtered"]) == (None, "yes")


@pytest.mark.parametrize(
    "change",
    [
        *("details = '{}'", "details = details - 'query'", "details = details - 'people'"),
        'details = details || \'{"filtered": "yes"}\'',
        'details = impersonal_details(action, details) || \'{"people": "0"}\'',
        "details = impersonal_details('phone.released', details) || '{\"query\": \"\"}'",
        "details = jsonb_set(impersonal_details(action, details), '{filtered}', '\"no\"')",
        *("details = NULL", "details = 'null'", "details = '[]'"),
        "details = impersonal_details(action, details), subject = 'y'",
        "details = impersonal_details(action, details), action = 'user.added'",
        "details = impersonal_details(action, details), ip = '192.0.2.2'",
        "details = impersonal_details(action, details), actor_kind = 'system'",
        "details = impersonal_details(action, details), actor_id = gen_random_uuid()",
        "details = impersonal_details(action, details), tenant_id = NULL",
        "details = impersonal_details(action, details), id = gen_random_uuid()",
        "details = impersonal_details(action, details), created_at = now() - interval '9 years'",
        # Clears the details by the rule of another action.
        "action = 'phone.released', details = impersonal_details('phone.released', details)",
    ],
)
def test_audit_event_cannot_be_changed_except_by_clearing_personal_data(
    rows: Reader, change: str
) -> None:
    """The setting `wxpass.retention` allows no other change."""
    record_event(rows, "users.exported", EXPORTED | {"before": {"phone": NUMBER}})
    with pytest.raises(DBAPIError, match=APPEND_ONLY):
        rows(f"{ALLOW}; UPDATE audit_events SET {change} WHERE subject = 'x'")


def test_cleared_ip_address_of_an_audit_event_cannot_be_restored(rows: Reader) -> None:
    record_event(rows, "users.exported", EXPORTED)
    rows(f"{ALLOW}; UPDATE audit_events SET ip = NULL WHERE subject = 'x'")
    with pytest.raises(DBAPIError, match=APPEND_ONLY):
        rows(f"{ALLOW}; UPDATE audit_events SET ip = '192.0.2.1' WHERE subject = 'x'")


@pytest.mark.parametrize(
    "change", ["details = impersonal_details(action, details)", "ip = NULL", "ip = ip"]
)
def test_audit_event_cannot_be_cleared_without_the_setting_of_retention(
    rows: Reader, change: str
) -> None:
    record_event(rows, "users.exported", EXPORTED)
    with pytest.raises(DBAPIError, match=APPEND_ONLY):
        rows(f"UPDATE audit_events SET {change} WHERE subject = 'x'")


# Migration


@pytest.fixture
def previous(config: Config) -> Iterator[tuple[Flask, "Connection[tuple[Any, ...]]"]]:
    """Yield an app whose database is one migration before 0016, and a database connection."""
    name = f"wxpass_migrated_{secrets.token_hex(4)}"
    url = config.database_url.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        app = create_app(replace(config, database_url=_of(config.database_url, name)))
        with app.app_context():
            upgrade(revision=_before())
        with psycopg.connect(_of(url, name), autocommit=True) as connection:
            yield app, connection
        with app.app_context():
            db.engine.dispose()
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _of(url: str, database: str) -> str:
    """Return the URL of another database on the same server."""
    path, _, query = url.partition("?")
    return f"{path.rpartition('/')[0]}/{database}?{query}"


def _before() -> str:
    revision = ScriptDirectory(MIGRATIONS).get_revision("0016")
    assert isinstance(revision.down_revision, str)
    return revision.down_revision


def details_of(connection: "Connection[tuple[Any, ...]]") -> list[tuple[Any, ...]]:
    return connection.execute("SELECT action, details FROM audit_events ORDER BY id").fetchall()


def test_migration_0016_clears_personal_data_from_existing_audit_events(
    previous: tuple[Flask, "Connection[tuple[Any, ...]]"],
) -> None:
    """The migration works in batches, covers every tenant, and changes no other column."""
    app, connection = previous
    tenants = [UUID(int=number) for number in (1, 2)]
    for tenant in tenants:
        connection.execute(
            "INSERT INTO tenants (id, slug, name) VALUES (%s, %s, 'T')", [tenant, str(tenant)]
        )
    many = ("users.exported", EXPORTED, OLD[0][2])
    written = [*OLD, *[many] * 2100]
    with connection.cursor() as cursor:
        for tenant in tenants:
            values = [(new_id(), tenant, action, json.dumps(old)) for action, old, _ in written]
            cursor.executemany(INSERT, values)
    others = "SELECT id, tenant_id, actor_kind, actor_id, action, subject, ip, created_at"
    before = connection.execute(f"{others} FROM audit_events ORDER BY id").fetchall()
    with app.app_context():
        upgrade(revision="0016")
    assert details_of(connection) == [(action, new) for action, _, new in written] * 2
    assert connection.execute(f"{others} FROM audit_events ORDER BY id").fetchall() == before
    with pytest.raises(psycopg.errors.RaiseException, match=APPEND_ONLY):
        connection.execute("UPDATE audit_events SET ip = NULL")


def test_migration_0016_can_be_reverted_and_repeated(
    previous: tuple[Flask, "Connection[tuple[Any, ...]]"],
) -> None:
    app, connection = previous
    tenant = UUID(int=1)
    connection.execute("INSERT INTO tenants (id, slug, name) VALUES (%s, 'a', 'A')", [tenant])
    with app.app_context():
        upgrade(revision="0016")
        downgrade(revision=_before())
    connection.execute(INSERT, [new_id(), tenant, "users.exported", json.dumps(EXPORTED)])
    with pytest.raises(psycopg.errors.RaiseException, match=APPEND_ONLY):
        connection.execute(f"{ALLOW}; UPDATE audit_events SET details = '{{}}'")
    connection.execute(f"{ALLOW}; UPDATE audit_events SET ip = NULL")
    with app.app_context():
        upgrade(revision="0016")
    assert details_of(connection) == [("users.exported", OLD[0][2])]

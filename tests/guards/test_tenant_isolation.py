"""Isolation between tenants, and between the apps of one tenant."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select
from werkzeug.routing import Rule

from app.extensions import Model, db
from app.models import Tenant
from app.services.retention.run import run_retention
from app.wechat.push_events import COMPLIANCE_EVENTS
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    APPS,
    GLOBEX_LIFE,
    App,
    Client,
    Person,
    Reader,
    enter_user,
    failure,
    wechat_headers,
)
from tests.fixtures.portal import Portal, configure
from tests.fixtures.portal import event as said
from tests.fixtures.tenant_sql import recorded_statements, unlimited_statements

# A valid body for each tenant route, so that only the check of the app can reject the request.
BODIES: dict[str, dict[str, str]] = {
    "apps.keep_profile": {"nickname": "Mallory"},
    "apps.bind_phone": {"code": "0" * 64},
    "apps.bind_account": {"account": "mallory", "password": "password"},
    "apps.unbind": {},
    "apps.log_out": {},
    "identity.issue_jwt": {},
    "apps.log_out_everywhere": {},
    "litemall.bind_phone": {"code": "0" * 64},
    "litemall.change_profile": {"nickname": "Mallory"},
    "litemall.log_out": {},
}
# The name and value of the error code of each dialect for a token of another app.
SAYS = {"gitegg": ("code", 403), "litemall": ("errno", 501)}
LOGINS = {
    *("none", "any", "any_to_end", "bound", "user"),
    *("operator", "platform", "tenant_operator", "tenant_admin"),
}


def rules(app: Flask) -> list[Rule]:
    """Return all routes of the service."""
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint in app.view_functions]


def test_every_route_declares_the_login_that_it_requires(app: Flask) -> None:
    unmarked = [
        rule.rule
        for rule in rules(app)
        if getattr(app.view_functions[rule.endpoint], "login", None) not in LOGINS
        and not rule.rule.startswith("/console")
    ]
    assert unmarked == []


def tenant_routes(app: Flask) -> list[Rule]:
    """Return the routes below an appid that require a login."""
    return [
        rule
        for rule in rules(app)
        if "appid" in rule.arguments and app.view_functions[rule.endpoint].login != "none"  # type: ignore[attr-defined]
    ]


def ask(client: Client, rule: Rule, mini_program: App, token: str) -> Any:
    """Send a valid request to a route of a mini-program with a token."""
    method = next(iter((rule.methods or set()) - {"HEAD", "OPTIONS"}))
    path = rule.rule.replace("<string:appid>", mini_program.appid)
    path = path.replace("<appid>", mini_program.appid)
    path = path.replace("<base_appid>", mini_program.appid)
    body = {"json": BODIES[rule.endpoint]} if method != "GET" else {}
    return client.send(method, path, token, headers=wechat_headers(mini_program), **body)


@pytest.mark.parametrize("foreign", [GLOBEX_LIFE, ACME_CLUB], ids=["another_tenant", "sister_app"])
def test_every_tenant_route_rejects_tokens_of_other_apps_and_tenants(
    app: Flask, client: Client, alice: Person, rows: Reader, foreign: App
) -> None:
    token = client.bind(alice, foreign)["token"]
    before = everything(rows)
    assert len(tenant_routes(app)) > 7
    for rule in tenant_routes(app):
        answer = ask(client, rule, ACME_SHOP, token)
        if rule.rule.startswith("/v1/"):
            assert failure(answer) == (403, "token_of_another_app"), rule
        else:
            field, code = SAYS[rule.endpoint.split(".")[0]]
            assert (answer.status_code, answer.json[field]) == (200, code), rule
    assert everything(rows) == before
    assert client.me(token).status_code == 200


def test_a_refresh_token_of_another_tenant_is_rejected_and_stays_valid(
    client: Client, alice: Person
) -> None:
    refresh_token = client.bind(alice, GLOBEX_LIFE)["refresh_token"]
    refused = client.post("refresh", app=ACME_SHOP, refresh_token=refresh_token)
    assert failure(refused) == (403, "token_of_another_app")
    assert client.post("refresh", app=GLOBEX_LIFE, refresh_token=refresh_token).status_code == 200


def test_users_with_the_same_phone_number_in_two_tenants_are_not_linked(
    client: Client, alice: Person, rows: Reader
) -> None:
    shop, life = client.bind(alice, ACME_SHOP), client.bind(alice, GLOBEX_LIFE)
    assert shop["user"]["id"] != life["user"]["id"]
    assert rows.count("phones") == 2
    assert len(rows("SELECT DISTINCT number_index FROM phones")) == 2, (
        "equal blind indexes would link users of two tenants"
    )


def test_requests_of_a_mini_program_load_no_rows_of_another_tenant(
    app: Flask, client: Client, alice: Person, bob: Person
) -> None:
    """The tenants acme and globex have the same people, phone numbers, accounts and passwords."""
    credentials = {"account": "alice", "password": GOOD_PASSWORD}
    for tenant in ("acme", "globex"):
        enter_user(app, tenant, phone="13800138001", **credentials)
    client.bind(alice, ACME_SHOP)
    client.bind(bob, ACME_CLUB)
    configure(app, app=GLOBEX_LIFE)
    with loaded_rows() as loaded, recorded_statements() as sent:
        token = client.bind(alice, GLOBEX_LIFE)["token"]
        client.bind(bob, GLOBEX_LIFE)
        client.post("profile", token, GLOBEX_LIFE, nickname="Alice")
        client.me(token)
        fresh = client.post("password-login", app=GLOBEX_LIFE, **credentials).json
        client.post("refresh", app=GLOBEX_LIFE, refresh_token=fresh["refresh_token"])
        client.post("unbind", token, GLOBEX_LIFE)
        client.post("logout-all", client.bind(bob, GLOBEX_LIFE)["token"], GLOBEX_LIFE)
        own = client.bind(alice, GLOBEX_LIFE)
        assert client.send("GET", "/v1/me/export", own["token"]).data
        assert client.send("DELETE", "/v1/me", own["token"]).status_code == 200
        for name in COMPLIANCE_EVENTS:
            Portal(client, GLOBEX_LIFE).push(said(name, OpenID=own["openid"], RevokeInfo="6"))
    assert len(loaded) > 20
    with app.app_context():
        globex = db.session.scalars(select(Tenant.id).where(Tenant.slug == "globex")).one()
    assert {tenant_id for _, tenant_id in loaded} == {globex}
    assert len(sent) > 100
    assert not unlimited_statements(sent, globex)


@contextmanager
def loaded_rows() -> Iterator[list[tuple[str, Any]]]:
    """Record every row that the ORM loads, as (table, tenant_id)."""
    loaded: list[tuple[str, Any]] = []

    def note(row: Any, *_: Any) -> None:
        if "tenant_id" in row.__table__.columns:
            loaded.append((row.__tablename__, row.tenant_id))

    event.listen(Model, "load", note, propagate=True)
    yield loaded
    event.remove(Model, "load", note)


def test_account_and_password_of_one_tenant_are_rejected_by_another_tenant(
    app: Flask, client: Client
) -> None:
    from_globex = {"account": "carol", "password": GOOD_PASSWORD}
    enter_user(app, "globex", **from_globex)
    assert client.post("password-login", app=GLOBEX_LIFE, **from_globex).status_code == 200
    refused = client.post("password-login", app=ACME_SHOP, **from_globex)
    assert failure(refused) == (401, "credentials_wrong")


def everything(rows: Reader) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of every table, without the columns that every request may change."""
    content = {}
    for table in db.metadata.sorted_tables:
        columns = [c.name for c in table.columns if c.name not in ("seen_at", "expires_at")]
        key = ", ".join(column.name for column in table.primary_key)
        read = f"SELECT {', '.join(columns)} FROM {table.name} ORDER BY {key}"
        content[table.name] = rows(read)
    assert len(content["wechat_apps"]) == len(APPS)
    return content


def test_closing_an_account_does_not_affect_other_tenants(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    here, there = client.bind(alice, ACME_SHOP), client.bind(alice, GLOBEX_LIFE)
    exported = client.send("GET", "/v1/me/export", here["token"]).text
    assert there["user"]["id"] not in exported
    assert there["openid"] not in exported
    before = everything(rows)
    assert client.send("DELETE", "/v1/me", here["token"]).status_code == 200
    rows("UPDATE users SET erase_after = now() WHERE erase_after IS NOT NULL")
    with app.app_context():
        assert dict(run_retention())["closed_accounts"] == 1
    tenants = dict(rows("SELECT slug, id FROM tenants"))
    assert rows_of(everything(rows), tenants["globex"]) == rows_of(before, tenants["globex"])
    assert client.me(there["token"]).status_code == 200


def rows_of(content: dict[str, list[tuple[Any, ...]]], tenant_id: Any) -> list[tuple[Any, ...]]:
    """Return the rows of all tables that contain the id of a tenant, sorted."""
    rows = (row for content_of in content.values() for row in content_of if tenant_id in row)
    return sorted(rows, key=repr)

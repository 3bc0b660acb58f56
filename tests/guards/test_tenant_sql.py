"""SQL statements of a request are limited to its tenant, and the check that verifies this."""

import re
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select

from app.extensions import db
from app.models import Tenant
from app.services.login import code_exchange
from tests.fixtures.operators import signed_in
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import GLOBEX_LIFE, Client, Person, enter_user
from tests.fixtures.tenant_sql import (
    EXCEPTIONS,
    Sent,
    recorded_statements,
    unlimited_statements,
    unlimited_tables,
)

TENANT, OTHER = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize(
    ("statement", "unlimited"),
    [
        ("SELECT id FROM users WHERE tenant_id = %(t)s AND id = %(i)s", []),
        ("SELECT id FROM users WHERE id = %(i)s", ["users"]),
        ("SELECT id FROM users WHERE tenant_id = %(o)s AND id = %(i)s", ["users"]),
        ("SELECT id FROM users WHERE tenant_id = %(t)s OR id = %(i)s", ["users"]),
        ("SELECT id FROM users WHERE NOT tenant_id = %(t)s", ["users"]),
        ("SELECT u.id FROM users u JOIN phones p ON p.user_id = u.id"
         " WHERE u.tenant_id = %(t)s", ["phones"]),
        ("SELECT u.id FROM users u JOIN phones p ON p.tenant_id = u.tenant_id"
         " WHERE u.tenant_id = %(t)s", []),
        ("SELECT id FROM users WHERE tenant_id = %(t)s AND id IN"
         " (SELECT user_id FROM phones WHERE number_index = %(i)s)", ["phones"]),
        ("UPDATE users SET level = 1 WHERE id = %(i)s", ["users"]),
        ("UPDATE users SET level = 1 WHERE tenant_id = %(t)s::uuid AND id = %(i)s", []),
        ("DELETE FROM phones WHERE user_id = %(i)s", ["phones"]),
        ("INSERT INTO phones (id, tenant_id) VALUES (%(i)s, %(t)s)", []),
        ("INSERT INTO phones (id, tenant_id) VALUES (%(i)s, %(t)s), (%(i)s, %(o)s)", ["phones"]),
        ("INSERT INTO phones (tenant_id, id) SELECT tenant_id, id FROM users"
         " WHERE tenant_id = %(t)s", []),
        ("WITH gone AS (DELETE FROM phones WHERE user_id = %(i)s RETURNING id)"
         " SELECT id FROM gone", ["phones"]),
        ("SELECT id FROM tenants", []),
    ],
)  # fmt: skip
def test_the_check_returns_the_tables_that_are_not_limited_to_the_tenant(
    statement: str, unlimited: list[str]
) -> None:
    sent = Sent(statement, {"t": TENANT, "o": OTHER, "i": UUID(int=3)})
    assert unlimited_tables(sent, TENANT) == unlimited


def test_every_exception_of_the_check_matches_a_statement_of_the_service(
    client: Client, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception without a statement could later exempt an unrelated statement."""
    monkeypatch.setattr(code_exchange, "CLEANUP_EVERY", 1)
    with recorded_statements() as sent:
        login = client.bind(alice)
        client.me(login["token"])
        client.me("wxp_" + "x" * 43)
        client.post("refresh", refresh_token="wxr_" + "x" * 86)
        client.post("refresh", refresh_token=login["refresh_token"])
    for name, text in EXCEPTIONS.items():
        assert any(text in statement.text for statement in sent), name


def test_sql_statements_of_the_admin_api_are_limited_to_the_tenant(
    app: Flask, client: Client, alice: Person, bob: Person
) -> None:
    """Calls every GET route of a tenant, and routes that change users, apps and sessions."""
    client.bind(alice)
    login, other = client.bind(alice, GLOBEX_LIFE), client.bind(bob, GLOBEX_LIFE)
    enter_user(app, "globex", "carol", GOOD_PASSWORD)
    gina = signed_in(app, "gina@globex.example", "tenant_admin", "globex")
    user, path = f"/users/{login['user']['id']}", "/tenants/globex"
    openid = login["openid"]
    names = {"its_appid": GLOBEX_LIFE.appid, "user_id": login["user"]["id"]}
    reads = [
        rule.rule.removeprefix("/v1/admin").replace("<string:slug>", "globex")
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/v1/admin/tenants/<string:slug>") and "GET" in rule.methods
    ]
    for name, value in names.items():
        reads = [re.sub(rf"<[a-z]*:?{name}>", value, path) for path in reads]
    reads = [route for route in reads if "<" not in route]
    with recorded_statements() as sent:
        for route in reads:
            assert gina("GET", route).status_code < 300, route
        for query in ("phone=13800138001", "account=carol", "nickname=a", f"openid={openid}"):
            assert gina("GET", f"{path}/users?{query}").status_code == 200, query
        for method, to, body in (
            ("PATCH", user, {"status": "disabled"}),
            ("PATCH", user, {"status": "active"}),
            ("POST", f"{user}/end-sessions", None),
            ("POST", "/users", {"account": "dora"}),
            ("PATCH", f"/apps/{GLOBEX_LIFE.appid}", {"name": "Life"}),
            ("DELETE", f"/users/{other['user']['id']}/phone", None),
            ("POST", f"/users/{other['user']['id']}/merge", {"into_id": login["user"]["id"]}),
        ):
            answer = gina(method, f"{path}{to}", json=body)
            assert answer.status_code < 300, (to, answer.text)
    assert len(reads) > 5
    with app.app_context():
        globex = db.session.scalars(select(Tenant.id).where(Tenant.slug == "globex")).one()
    assert not unlimited_statements(sent, globex)

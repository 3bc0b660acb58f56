"""Which server answers: lists and exports the replica, everything else the primary."""

import json
import re
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.extensions import db
from app.models import Tenant
from app.services import audit
from app.services.database.transactions import transaction
from app.services.metrics.count_writer import write_counts
from tests.admin.console.browser import Browser
from tests.e2e.replica.conftest import forget_changes
from tests.e2e.replica.standby import Standby
from tests.fixtures.operators import PASSWORD, Script
from tests.fixtures.personas import (
    GLOBEX_LIFE,
    Client,
    Person,
    WeChat,
    enter_user,
    failure,
    json_of,
)
from tests.fixtures.tenant_sql import recorded_statements, unlimited_statements

ACME = "/tenants/acme"
OperatorOf = Callable[..., Script]

API_LISTS = (f"{ACME}/users", f"{ACME}/sessions", f"{ACME}/audit", f"{ACME}/overview", "/audit")
CONSOLE_LISTS = ("/users/", "/sessions/", "/audit/", "/", "/service-audit/")
COMMANDS = (
    ("users", "list", "--tenant", "acme"),
    ("users", "export", "--tenant", "acme"),
    ("audit", "list", "acme"),
    ("pushes", "list", "--tenant", "acme"),
    ("tenants", "overview", "acme"),
)


@pytest.fixture
def dave(wechat: WeChat) -> Person:
    """A person that no other test knows."""
    return Person(wechat, f"dave{secrets.token_hex(4)}", f"139{secrets.randbelow(10**8):08}")


def change_everything(site: Flask, person: Person) -> None:
    """Make a change that each of the lists shows. It is not an operator's."""
    Client(site).bind(person)
    with site.app_context(), transaction() as session:
        audit.record(session, None, audit.SYSTEM, "signing_key.rotated", secrets.token_hex(4))
    with site.app_context():
        write_counts()


def texts_of(script: Script) -> dict[str, Any]:
    """Return the body of each list of the admin API."""
    answers = {path: script("GET", path) for path in API_LISTS}
    assert {answer.status_code for answer in answers.values()} == {200}
    return {path: answer.json for path, answer in answers.items()}


def test_lists_of_the_admin_api_come_from_the_replica(
    site: Flask, standby: Standby, operator: OperatorOf, dave: Person
) -> None:
    root = operator("platform")
    with standby.paused():
        before = texts_of(root)
        change_everything(site, dave)
        assert texts_of(root) == before
    standby.catch_up()
    after = texts_of(root)
    assert [path for path in API_LISTS if after[path] == before[path]] == []


def test_lists_of_the_console_come_from_the_replica(
    site: Flask, standby: Standby, operator: OperatorOf, dave: Person
) -> None:
    browser = Browser(site)
    browser.post("/sign-in", email=operator("platform").email, password=PASSWORD)
    forget_changes(standby)
    with standby.paused():
        before = pages_of(browser)
        change_everything(site, dave)
        assert pages_of(browser) == before
    standby.catch_up()
    after = pages_of(browser)
    assert [path for path in CONSOLE_LISTS if after[path] == before[path]] == []


def pages_of(browser: Browser) -> dict[str, str]:
    """Return each list of the console, without values that differ and without relative times."""
    varying = r'nonce="[^"]*"|value="[^"]*"|(?<=">)[^<]*(?=<span class="visually-hidden"> \()'
    return {path: re.sub(varying, "", browser.read(path)) for path in CONSOLE_LISTS}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_commands_use_the_replica_only_if_it_has_caught_up(
    command: tuple[str, ...],
    site: Flask,
    standby: Standby,
    on_replica: list[str],
    dave: Person,
) -> None:
    """A script that adds something and lists it sees what it has added."""
    runner = site.test_cli_runner()
    enter_user(site, account=dave.name)
    standby.catch_up()
    assert runner.invoke(args=list(command)).exit_code == 0
    assert len(on_replica) > 1
    with standby.paused():
        before = runner.invoke(args=list(command)).output
        change_everything(site, dave)
        on_replica.clear()
        after = runner.invoke(args=list(command)).output
    assert command[0] == "pushes" or after != before
    assert all("pg_last_wal_replay_lsn" in statement for statement in on_replica)


def test_exports_come_from_the_replica_and_miss_no_user(
    site: Flask, standby: Standby, operator: OperatorOf, on_replica: list[str], dave: Person
) -> None:
    admin = operator("tenant_admin", "acme")
    on_replica.clear()
    enter_user(site, account=dave.name)
    assert dave.name in admin("POST", f"{ACME}/exports", json={}).text
    assert any("FROM users" in statement for statement in on_replica)
    with standby.paused():
        enter_user(site, account=f"{dave.name}-later")
        assert f"{dave.name}-later" in admin("POST", f"{ACME}/exports", json={}).text


def test_export_of_a_persons_data_comes_from_the_replica_and_is_complete(
    client: Client, standby: Standby, on_replica: list[str], dave: Person
) -> None:
    token = client.bind(dave)["token"]
    whole = json_of(client.send("GET", "/v1/me/export", token))
    assert any("FROM login_sessions" in statement for statement in on_replica)
    with standby.paused():
        assert client.post("profile", token, nickname="Dave").status_code == 200
        delayed = json.loads(client.send("GET", "/v1/me/export", token).data)
    assert delayed["users"][0]["nickname"] == "Dave"
    assert len(delayed["audit_events"]) > len(whole["audit_events"])


def test_logins_tokens_and_operators_sign_in_never_use_the_replica(
    site: Flask, client: Client, operator: OperatorOf, on_replica: list[str], dave: Person
) -> None:
    root = operator("platform")
    on_replica.clear()
    login = client.bind(dave)
    client.me(login["token"])
    assert client.send("GET", "/v1/verify", login["token"]).status_code == 204
    client.post("refresh", refresh_token=login["refresh_token"])
    client.post("password-login", account="none", password="none")
    assert root.sign_in().status_code == 200
    assert root.refresh().status_code == 200
    assert root("POST", "/step-up", json={"password": PASSWORD}).status_code == 204
    for path in ("/me/sessions", "/operators", "/tenants", f"{ACME}/apps", f"{ACME}/users/none"):
        root("GET", path)
    assert root("GET", f"{ACME}/users/{login['user']['id']}").status_code == 200
    assert on_replica == []


def test_page_with_forms_shows_the_primary(
    site: Flask, standby: Standby, operator: OperatorOf, dave: Person
) -> None:
    user = enter_user(site, account=dave.name)
    root = operator("platform")
    with standby.paused():
        standby.primary("UPDATE users SET nickname = 'new' WHERE id = %(id)s", id=user)
        assert json_of(root("GET", f"{ACME}/users/{user}"))["user"]["nickname"] == "new"
        [listed] = json_of(root("GET", f"{ACME}/users?account={dave.name}"))["items"]
        assert listed["nickname"] is None


def test_disabled_operator_is_refused_although_the_replica_lags(
    site: Flask, standby: Standby, operator: OperatorOf
) -> None:
    ann = operator("tenant_admin", "acme")
    browser = Browser(site)
    browser.post("/sign-in", email=ann.email, password=PASSWORD)
    with standby.paused():
        assert ann("GET", f"{ACME}/users").status_code == 200
        standby.primary("UPDATE operators SET status = 'disabled' WHERE email = %(e)s", e=ann.email)
        assert ann("GET", f"{ACME}/users").status_code == 401
        assert "/sign-in" in browser.get("/users/").location


def test_operator_of_one_tenant_gets_nothing_of_another(
    site: Flask, standby: Standby, operator: OperatorOf, client: Client, dave: Person
) -> None:
    client.bind(dave, GLOBEX_LIFE)
    gina = operator("tenant_admin", "globex")
    with recorded_statements() as sent:
        for name in ("users", "sessions", "audit", "overview"):
            assert failure(gina("GET", f"{ACME}/{name}")) == (404, "tenant_unknown")
        assert not any("pg_last_wal_replay_lsn" in one.text for one in sent)
        for name in ("users", "sessions", "audit", "overview"):
            assert gina("GET", f"/tenants/globex/{name}").status_code == 200
        assert gina("POST", "/tenants/globex/exports", json={}).status_code == 200
    assert any("pg_last_wal_replay_lsn" in one.text for one in sent)
    with site.app_context():
        globex = db.session.scalars(select(Tenant.id).where(Tenant.slug == "globex")).one()
    assert not unlimited_statements(sent, globex)

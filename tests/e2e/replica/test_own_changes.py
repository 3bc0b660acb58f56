"""An operator's lists show the operator's own changes, although the replica lags."""

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app.services.tenant_admin import stale_lists
from tests.admin.console.browser import Browser
from tests.e2e.replica.conftest import forget_changes
from tests.e2e.replica.standby import Standby
from tests.fixtures.operators import PASSWORD, Script
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import Client, Person, enter_user, json_of

USERS = "/tenants/acme/users"
OperatorOf = Callable[..., Script]


def status_of(script: Script, user: str) -> str:
    """Return the status of a user in the list of users."""
    items: list[dict[str, Any]] = json_of(script("GET", USERS))["items"]
    return next(str(item["status"]) for item in items if item["id"] == user)


def test_change_in_the_admin_api_is_listed_in_every_process_for_its_operator_only(
    site: Flask, other_process: Flask, standby: Standby, operator: OperatorOf
) -> None:
    user = enter_user(site, account="own-change")
    ann, bea = operator("tenant_admin", "acme"), operator("tenant_admin", "acme")
    elsewhere = Script(Client(other_process), ann.email, ann.tokens)
    with standby.paused():
        assert ann("PATCH", f"{USERS}/{user}", json={"status": "disabled"}).status_code == 200
        assert status_of(ann, user) == "disabled"
        assert status_of(elsewhere, user) == "disabled"
        assert status_of(bea, user) == "active"


def test_change_in_the_console_is_listed_in_the_console_and_in_the_admin_api(
    site: Flask, standby: Standby, operator: OperatorOf
) -> None:
    ann = operator("tenant_admin", "acme")
    browser = Browser(site)
    browser.post("/sign-in", email=ann.email, password=PASSWORD)
    forget_changes(standby)
    with standby.paused():
        browser.press("/users/enter", account="added-in-console", nickname="")
        assert "added-in-console" in browser.read("/users/")
        assert "added-in-console" in ann("GET", USERS).text
        assert "user.added" in ann("GET", "/tenants/acme/audit").text


def test_ended_session_is_listed_as_ended(
    site: Flask, standby: Standby, operator: OperatorOf, client: Client, alice: Person
) -> None:
    client.bind(alice)
    ann = operator("tenant_admin", "acme")
    with standby.paused():
        path = "/tenants/acme/sessions"
        newest = json_of(ann("GET", f"{path}?living=true"))["items"][0]["id"]
        assert ann("DELETE", f"{path}/{newest}").status_code == 204
        assert newest not in ann("GET", f"{path}?living=true").text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "", {"account": "own-added"}),
        ("PATCH", "/{user}", {"status": "disabled"}),
        ("POST", "/{user}/end-sessions", None),
        ("POST", "/{user}/password", {"password": GOOD_PASSWORD}),
        ("POST", "/{user}/merge", {"into_id": "{other}"}),
        ("DELETE", "/{user}/phone", None),
    ],
)
def test_every_change_of_users_makes_the_operators_lists_come_from_the_primary(
    method: str,
    path: str,
    body: dict[str, str] | None,
    site: Flask,
    operator: OperatorOf,
    on_replica: list[str],
) -> None:
    """The mechanism needs an audit event of the operator for each change."""
    number = f"+86137{secrets.randbelow(10**8):08}"
    user = enter_user(site, account=secrets.token_hex(8), phone=number, password=GOOD_PASSWORD)
    ids = {"user": user, "other": enter_user(site, account=secrets.token_hex(8))}
    root = operator("platform")
    json = body and {name: value.format(**ids) for name, value in body.items()}
    assert root(method, f"{USERS}{path.format(**ids)}", json=json).status_code < 300
    on_replica.clear()
    for name in ("users", "sessions", "audit", "overview"):
        assert root("GET", f"/tenants/acme/{name}").status_code == 200
    assert on_replica == []


def test_lists_come_from_the_replica_again_some_time_after_the_change(
    site: Flask,
    standby: Standby,
    operator: OperatorOf,
    on_replica: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user = enter_user(site, account="later")
    ann = operator("tenant_admin", "acme")
    assert ann("PATCH", f"{USERS}/{user}", json={"status": "disabled"}).status_code == 200
    on_replica.clear()
    assert status_of(ann, user) == "disabled"
    assert on_replica == []
    monkeypatch.setattr(stale_lists, "OWN_CHANGES", timedelta())
    standby.catch_up()
    assert status_of(ann, user) == "disabled"
    assert on_replica

"""An operator's lists show the operator's own changes, although the replica lags."""

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
from tests.fixtures.personas import Client, Person, enter_user

USERS = "/tenants/acme/users"
OperatorOf = Callable[..., Script]


def status_of(script: Script, user: str) -> str:
    """Return the status of a user in the list of users."""
    items: list[dict[str, Any]] = script("GET", USERS).json["items"]
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
        assert "User added" in browser.read("/audit/") or "added" in browser.read("/audit/")


def test_ended_session_is_listed_as_ended(
    site: Flask, standby: Standby, operator: OperatorOf, client: Client, alice: Person
) -> None:
    client.bind(alice)
    ann = operator("tenant_admin", "acme")
    with standby.paused():
        path = "/tenants/acme/sessions"
        newest = ann("GET", f"{path}?living=true").json["items"][0]["id"]
        assert ann("DELETE", f"{path}/{newest}").status_code == 204
        assert newest not in ann("GET", f"{path}?living=true").text


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

"""Platform admins manage tenants and operators through the admin API."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from tests.fixtures.operators import PASSWORD, Script, signed_in
from tests.fixtures.personas import Client, Person, Reader, failure

OPS = "ops@wxpass.example"


@pytest.fixture
def ops(app: Flask) -> Script:
    """A platform admin who is signed in at the admin API."""
    return signed_in(app, OPS, "platform")


def last_details(rows: Reader, action: str) -> Any:
    """Return the details of the latest audit event of an action.

    Check that the actor of the event is an operator.
    """
    query = "SELECT details, actor_kind, actor_id IS NOT NULL, ip FROM audit_events"
    details, *actor = rows(f"{query} WHERE action = :a ORDER BY id DESC LIMIT 1", a=action)[0]
    assert actor == ["operator", True, "127.0.0.1"]
    return details


def test_a_platform_admin_adds_changes_and_disables_tenants(
    ops: Script, client: Client, alice: Person, rows: Reader
) -> None:
    new = {"slug": "initech", "name": "Initech", "phone_owner_policy": "refuse"}
    assert ops("POST", "/tenants", json=new).json["status"] == "active"
    after = {"name": "Initech", "phone_owner_policy": "refuse"}
    assert last_details(rows, "tenant.added") == {"after": after}
    assert failure(ops("POST", "/tenants", json=new)) == (409, "tenant_exists")
    token = client.bind(alice)["token"]
    assert ops("PATCH", "/tenants/acme", json={"status": "disabled"}).status_code == 200
    assert failure(client.me(token)) == (403, "tenant_disabled")
    status = {"before": {"status": "active"}, "after": {"status": "disabled"}}
    assert last_details(rows, "tenant.changed") == status
    assert ops("GET", "/tenants/acme/users").status_code == 200, "platform admins still have access"
    slugs = [tenant["slug"] for tenant in ops("GET", "/tenants").json["items"]]
    assert slugs == ["acme", "globex", "initech"]
    for wrong in ("Initech", "-a", "a--b", "a" * 41, "中", ""):
        refused = ops("POST", "/tenants", json={"slug": wrong, "name": "x"})
        assert failure(refused) == (422, "request_invalid"), wrong


def test_a_platform_admin_invites_changes_and_resets_an_operator(
    ops: Script, app: Flask, rows: Reader
) -> None:
    body = {"email": "Ann@acme.example", "role": "tenant_admin", "tenant": "acme"}
    invited = ops("POST", "/operators", json=body).json
    ann, path = Script(Client(app), "ann@acme.example"), f"/operators/{invited['operator']['id']}"
    assert (invited["operator"]["is_invited"], invited["operator"]["tenant"]) == (True, "acme")
    acceptance = {"invitation": invited["invitation"], "password": PASSWORD}
    assert ann.client.send("POST", "/v1/admin/invitation", json=acceptance).status_code == 200
    assert ann.sign_in().status_code == 200
    assert ann("GET", "/me").json["role"] == "tenant_admin"
    changed = ops("PATCH", path, json={"role": "tenant_reader", "tenant": "globex"}).json
    assert (changed["role"], changed["tenant"]) == ("tenant_reader", "globex")
    details = last_details(rows, "operator.changed")
    # The event belongs to the new tenant, so it omits the former role and tenant.
    assert details["before"] == {"role": None, "tenant_id": None}
    assert details["after"]["role"] == "tenant_reader"
    assert ann.sign_in().status_code == 200
    assert ops("PATCH", path, json={"status": "disabled"}).json["status"] == "disabled"
    assert failure(ann("GET", "/me")) == (401, "sign_in_needed")
    ops("PATCH", path, json={"status": "active"})
    reset = ops("POST", f"{path}/reset", json={}).json
    assert reset["operator"]["is_invited"] is True
    assert failure(ann.sign_in()) == (401, "sign_in_wrong")
    unknown = "/operators/00000000-0000-0000-0000-000000000000"
    assert failure(ops("PATCH", unknown, json={"status": "active"})) == (404, "operator_unknown")
    for wrong in ({}, {"status": "active", "role": "platform"}, {"tenant": "acme"}):
        assert failure(ops("PATCH", path, json=wrong)) == (422, "request_invalid"), wrong


def test_the_last_platform_admin_cannot_be_disabled_or_demoted(ops: Script, rows: Reader) -> None:
    ((operator_id,),) = rows("SELECT id FROM operators")
    for change in ({"status": "disabled"}, {"role": "tenant_admin", "tenant": "acme"}):
        refused = ops("PATCH", f"/operators/{operator_id}", json=change)
        assert failure(refused) == (409, "last_platform_operator")
    shown = ops("GET", "/me").json
    assert datetime.now(UTC) - datetime.fromisoformat(shown.pop("proven_at")) < timedelta(minutes=1)
    assert shown == {
        "id": str(operator_id),
        "email": OPS,
        "role": "platform",
        "tenant": None,
    }

"""The console pages of operators."""

import re

from flask import Flask

from tests.admin.console.browser import PASSWORD, Browser, add_operator, notes, signed_in
from tests.fixtures.operators import Script
from tests.fixtures.personas import Client, Reader

OUT = "/console/sign-in"


def test_platform_admins_invite_reset_and_disable_operators(app: Flask, rows: Reader) -> None:
    browser = signed_in(app, "root@wxpass.example", "platform")
    form = {"email": "Ann@Acme.example", "role": "tenant_admin", "tenant": "acme"}
    page = browser.post("/operators/invite", **form).text
    secret = re.search(r"/console/invitation#(\S+)</pre>", page)
    assert secret
    assert secret.group(1) not in browser.get("/operators/").text
    acceptance = {"invitation": secret.group(1), "password": PASSWORD, "again": PASSWORD}
    assert Browser(app).post("/invitation", **acceptance).status_code == 302
    ann = Browser(app)
    ann.sign_in("ann@acme.example")
    ((ann_id,),) = rows("SELECT id FROM operators WHERE email = 'ann@acme.example'")
    assert ann.get("/").status_code == 200
    assert "/console/invitation#" in browser.post(f"/operators/{ann_id}/reset").text
    assert ann.get("/").location.startswith(OUT)
    assert browser.post(f"/operators/{ann_id}/disable").status_code == 302
    assert rows("SELECT status FROM operators WHERE id = :id", id=ann_id) == [("disabled",)]
    assert notes(browser.post("/operators/invite", **form))[0][0] == "error"
    form["email"] = "no address"
    assert 'aria-invalid="true"' in browser.post("/operators/invite", **form).text


def test_the_last_platform_admin_cannot_be_disabled(app: Flask, rows: Reader) -> None:
    browser = signed_in(app, "root@wxpass.example", "platform")
    ((own,),) = rows("SELECT id FROM operators")
    refused = browser.post(f"/operators/{own}/disable")
    assert (refused.status_code, "last_platform_operator" in refused.text) == (409, True)
    assert browser.get("/operators/").status_code == 200


def test_changing_role_or_tenant_of_an_operator_ends_the_operators_sessions(
    app: Flask, rows: Reader
) -> None:
    add_operator(app)
    ((ann_id,),) = rows("SELECT id FROM operators")
    ann, root = Browser(app), signed_in(app, "root@wxpass.example", "platform")
    ann.sign_in("ann@acme.example")
    page = f"/operators/{ann_id}/role"
    assert page in root.get("/operators/").text
    assert 'selected value="tenant_admin"' in root.get(page).text
    assert root.post(page, role="tenant_reader", tenant="globex").location == "/console/operators/"
    assert ann.get("/").location.startswith(OUT)
    post = (
        "SELECT role, slug FROM operators LEFT JOIN tenants t ON t.id = tenant_id WHERE email = :e"
    )
    assert rows(post, e="ann@acme.example") == [("tenant_reader", "globex")]
    assert root.post(page, role="platform", tenant="globex").status_code == 302
    assert rows(post, e="ann@acme.example") == [("platform", None)]


def test_the_platform_audit_log_lists_invitations_of_platform_admins_only(app: Flask) -> None:
    root = signed_in(app, "root@wxpass.example", "platform")
    root.post("/operators/invite", email="second@wxpass.example", role="platform")
    root.post("/operators/invite", email="ann@acme.example", role="tenant_admin", tenant="acme")
    page = root.read("/service-audit/", email="root@wxpass.example", action="operator.invited")
    assert page.count("<code>role</code>") == 1
    script = Script(Client(app), "root@wxpass.example")
    script.sign_in(PASSWORD)
    events = script("GET", "/audit?action=operator.invited&actor_email=root@wxpass.example").json
    assert [event["details"]["after"] for event in events["items"]] == [{"role": "platform"}]


def test_a_tenant_role_without_an_existing_tenant_is_rejected(app: Flask, rows: Reader) -> None:
    root = signed_in(app, "root@wxpass.example", "platform")
    ((own,),) = rows("SELECT id FROM operators")
    for form in ({}, {"tenant": ""}, {"tenant": "nobody"}, {"tenant": "\0"}):
        sent = {"role": "tenant_admin"} | form
        invited = root.post("/operators/invite", email="x@acme.example", **sent)
        changed = root.post(f"/operators/{own}/role", **sent)
        for answer in (invited, changed):
            assert answer.status_code in (200, 404, 409), (form, answer.status_code)
            assert "went wrong on our side" not in answer.text
    assert rows("SELECT role FROM operators") == [("platform",)]
    refused = root.post(f"/operators/{own}/role", role="tenant_admin", tenant="acme")
    assert refused.status_code == 409, "the last platform admin keeps the role"

"""The console pages of sessions and of the audit log."""

import re

from flask import Flask

from tests.admin.console.browser import TenantConsole
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, Client, Person, Reader

ROW = '<td data-label="Device">'
EVENT = '<td data-label="Action">'


def test_login_sessions_are_filtered_by_app_user_and_state_and_can_be_ended(
    app: Flask, client: Client, alice: Person, bob: Person
) -> None:
    console = TenantConsole(app)
    shop, club = client.bind(alice), client.bind(bob, ACME_CLUB)
    assert console.read("/sessions/").count(ROW) == 2
    of_club = console.read("/sessions/", app=ACME_CLUB.appid)
    assert of_club.count(ROW) == 1
    assert club["user"]["id"] in of_club
    of_bob = console.read("/sessions/", user=club["user"]["id"])
    assert of_bob.count(ROW) == 1
    assert of_bob.split("<tbody>")[1].count(club["user"]["id"]) > 0
    assert "Correct the request and send it again." in console.read("/sessions/", user="bob")
    found = re.search(r'/sessions/([0-9a-f-]{36})/end([^"]*)', of_club)
    assert found
    session, query = found.groups()
    after = console.press(f"/sessions/{session}/end{query}")
    assert "The session was ended." in after
    assert after.count(ROW) == 1, "the list is still filtered by the club"
    assert client.me(club["token"]).status_code == 401
    assert client.me(shop["token"]).status_code == 200
    assert shop["user"]["id"] in console.read("/sessions/", living="yes")
    ended = console.read("/sessions/", living="no", app="")
    assert ended.count(ROW) == 1
    assert "ended by an admin" in ended
    assert console.post(f"/sessions/{session}/end").status_code == 404


def test_the_audit_log_is_filtered_by_actor_action_subject_and_time(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    console = TenantConsole(app)
    user = client.bind(alice)["user"]["id"]
    console.press(f"/users/{user}/disable")
    console.press(
        f"/apps/{ACME_SHOP.appid}/change", name="Corner", registration="closed", data_format="json"
    )
    page = console.read("/audit/", action="user.changed")
    assert page.count(EVENT) == 1
    assert "<code>status</code>: <bdi>active</bdi> → <bdi>disabled</bdi>" in page
    assert console.email in page
    by_admins = console.read("/audit/", actor="operator")
    assert f"<code>name</code>: <bdi>{ACME_SHOP.appid}</bdi> → <bdi>Corner" in by_admins
    assert "<code>registration</code>: <bdi>on_phone</bdi> → <bdi>closed</bdi>" in by_admins
    assert "<bdi>json</bdi> → " not in by_admins, "an unchanged value is not listed"
    assert console.read("/audit/", email=console.email, action="user.changed").count(EVENT) == 1
    assert EVENT not in console.read("/audit/", email="nobody@acme.example")
    of_alice = console.read("/audit/", subject=user)
    assert of_alice.count(EVENT) == rows.count("audit_events", f"subject = '{user}'")
    assert "Nothing to show." in console.read("/audit/", since="2999-01-01T00:00")
    assert "Nothing to show." in console.read("/audit/", until="2000-01-01T00:00")
    assert EVENT in console.read("/audit/", since="2000-01-01T00:00", until="2999-01-01T00:00")
    wrong = console.read("/audit/", since="soon")
    assert "Correct the request and send it again." in wrong

"""Export and erasure of a user who has asked an operator instead of using the mini-program."""

import json
from uuid import uuid4

from flask import Flask

from tests.fixtures.personas import Client, Person, Reader, failure

TABLES = ("users", "phones", "social_accounts", "login_sessions", "session_keys")


def test_the_command_exports_what_the_person_can_export(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    login = client.bind(alice)
    own = client.send("GET", "/v1/me/export", login["token"]).json
    command = ["users", "personal-data", login["user"]["id"], "--tenant", "acme"]
    result = app.test_cli_runner().invoke(args=command)

    assert result.exit_code == 0, result.output
    exported = json.loads(result.output)
    # The second export contains the audit event of the first one, and its own.
    assert len(exported.pop("audit_events")) == len(own.pop("audit_events")) + 1
    assert exported == own
    assert exported["phones"][0]["number"] == "+8613800138001"
    actors = "SELECT actor_kind FROM audit_events WHERE action = 'user.exported' ORDER BY id"
    assert rows(actors) == [("user",), ("operator",)]


def test_the_command_erases_the_user_and_nothing_of_others(
    app: Flask, client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    login, other = client.bind(alice), client.bind(bob)
    command = ["users", "erase", login["user"]["id"], "--tenant", "acme", "--yes"]
    result = app.test_cli_runner().invoke(args=command)

    assert result.exit_code == 0, result.output
    assert failure(client.me(login["token"])) == (401, "token_invalid")
    assert client.me(other["token"]).status_code == 200
    assert {table: rows.count(table) for table in TABLES} == dict.fromkeys(TABLES, 1)
    assert rows.count("audit_events", "action = 'user.erased' AND actor_kind = 'operator'") == 1
    assert not client.log_in(alice)["bound"]


def test_unknown_users_and_users_of_other_tenants_are_refused(
    app: Flask, client: Client, alice: Person
) -> None:
    token = client.bind(alice)["token"]
    user_id = client.me(token).json["id"]
    for name in ("erase", "personal-data"):
        for tenant, unknown in (("globex", user_id), ("acme", str(uuid4()))):
            command = ["users", name, unknown, "--tenant", tenant]
            result = app.test_cli_runner().invoke(args=command, input="y\n")
            assert result.exit_code == 1
            assert "user_unknown" in result.output
    assert client.me(token).status_code == 200

"""Commands that end the sessions of all users and of all operators."""

import pytest
from flask import Flask

from app.services.sessions import bulk_ending
from tests.fixtures.operators import signed_in
from tests.fixtures.personas import GLOBEX_LIFE, Client, Person, Reader, failure

ENDED = (401, "session_revoked")


def run(app: Flask, *arguments: str) -> str:
    """Run a command, which must succeed. Return its output."""
    result = app.test_cli_runner().invoke(args=list(arguments))
    assert result.exit_code == 0, result.output
    return str(result.output)


def test_sessions_of_one_tenant_or_of_all_tenants_are_ended(
    app: Flask, client: Client, alice: Person, bob: Person, rows: Reader
) -> None:
    acme, globex = client.bind(alice), client.log_in(bob, GLOBEX_LIFE)
    assert run(app, "users", "end-sessions", "--yes", "--tenant", "acme").startswith("1 sessions")
    assert failure(client.me(acme["token"])) == ENDED
    refreshed = client.post("refresh", refresh_token=acme["refresh_token"])
    assert failure(refreshed) == ENDED
    assert failure(client.me(globex["token"])) == (403, "login_unbound")

    assert run(app, "users", "end-sessions", "--yes").startswith("1 sessions")
    assert failure(client.me(globex["token"])) == ENDED
    assert client.log_in(alice)["bound"]
    counts = "SELECT details->>'ended' FROM audit_events WHERE action = 'sessions.all_ended'"
    assert sorted(rows(counts)) == [("0",), ("1",), ("1",)]


def test_sessions_are_ended_in_batches_and_later_ones_are_kept(
    app: Flask, client: Client, alice: Person, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_ending, "BATCH", 2)
    old = [client.bind(alice)["token"], *(client.log_in(alice)["token"] for _ in range(4))]
    rows("UPDATE login_sessions SET created_at = '2026-01-01T10:00:00Z'")
    kept = client.log_in(alice)["token"]

    before = ("--opened-before", "2026-01-02")
    assert run(app, "users", "end-sessions", "--yes", *before).startswith("5 sessions")

    assert [failure(client.me(token)) for token in old] == [ENDED] * 5
    assert client.me(kept).status_code == 200


def test_end_sessions_asks_for_a_confirmation(app: Flask, client: Client, alice: Person) -> None:
    token = client.bind(alice)["token"]
    refused = app.test_cli_runner().invoke(args=["users", "end-sessions"], input="n\n")
    assert refused.exit_code == 1
    assert client.me(token).status_code == 200


def test_sessions_of_all_operators_are_ended(app: Flask, rows: Reader) -> None:
    scripts = [
        signed_in(app, "ann@acme.example", "tenant_admin", "acme"),
        signed_in(app, "root@wxpass.example", "platform"),
    ]
    assert run(app, "operators", "end-sessions", "--yes").startswith("2 sessions")
    for script in scripts:
        assert script("GET", "/me").status_code == 401
        assert script.refresh().status_code == 401
        assert script.sign_in().status_code == 200
    for table in ("audit_events", "platform_audit_events"):
        assert rows.count(table, "action = 'operator.sessions_ended'") == 1

"""Older sessions, with which the demo lets time pass."""

from datetime import timedelta

from flask import Flask

from app.services.sessions.aging import age_sessions
from tests.fixtures.personas import GLOBEX_LIFE, Client, Person, failure


def age(app: Flask, by: timedelta, tenant: str = "acme") -> None:
    """Make the sessions of a tenant older."""
    with app.app_context():
        age_sessions(tenant, by)


def test_a_login_token_expires_and_its_refresh_token_still_works(
    app: Flask, client: Client, alice: Person
) -> None:
    login = client.bind(alice)
    assert client.me(login["token"]).status_code == 200
    age(app, timedelta(hours=3))
    assert failure(client.me(login["token"])) == (401, "session_expired")
    refreshed = client.post("refresh", refresh_token=login["refresh_token"])
    assert client.me(refreshed.json["token"]).status_code == 200


def test_a_refresh_token_expires_after_a_month(app: Flask, client: Client, alice: Person) -> None:
    login = client.bind(alice)
    age(app, timedelta(days=31))
    refused = client.post("refresh", refresh_token=login["refresh_token"])
    assert failure(refused) == (401, "refresh_token_expired")


def test_sessions_of_other_tenants_keep_their_age(
    app: Flask, client: Client, alice: Person
) -> None:
    login = client.bind(alice, GLOBEX_LIFE)
    age(app, timedelta(hours=3))
    assert client.me(login["token"]).status_code == 200

"""Number of SQL statements per route of the admin API, and secrets in responses and logs."""

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from app import logs
from tests.admin.api.test_tenant_isolation import ROUTES, TENANT_SCOPE, TenantIds, acme, call
from tests.fixtures.operators import PASSWORD, Script, add_operator, invite, signed_in
from tests.fixtures.passwords import OTHER_PASSWORD
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, Client, Person

__all__ = ["acme"]

# Authentication runs two statements: one reads the signing key of the JWT, one the session.
LOGIN = 2
ALLOWED = {
    ("GET", "/me"): LOGIN,
    ("POST", "/sign-out"): LOGIN + 1,
    ("GET", f"{TENANT_SCOPE}/apps"): LOGIN + 1,
    ("POST", f"{TENANT_SCOPE}/apps"): LOGIN + 10,
    ("GET", f"{TENANT_SCOPE}/apps/<its_appid>"): LOGIN + 1,
    ("PATCH", f"{TENANT_SCOPE}/apps/<its_appid>"): LOGIN + 4,
    ("PUT", f"{TENANT_SCOPE}/apps/<its_appid>/secrets"): LOGIN + 4,
    ("POST", f"{TENANT_SCOPE}/apps/<its_appid>/verification"): LOGIN + 3,
    ("GET", f"{TENANT_SCOPE}/apps/<its_appid>/usage"): LOGIN + 5,
    ("GET", f"{TENANT_SCOPE}/users"): LOGIN + 1,
    ("POST", f"{TENANT_SCOPE}/users"): LOGIN + 8,
    ("GET", f"{TENANT_SCOPE}/users/<user_id>"): LOGIN + 5,
    ("PATCH", f"{TENANT_SCOPE}/users/<user_id>"): LOGIN + 9,
    ("POST", f"{TENANT_SCOPE}/users/<user_id>/end-sessions"): LOGIN + 3,
    ("POST", f"{TENANT_SCOPE}/users/<user_id>/merge"): LOGIN + 18,
    ("DELETE", f"{TENANT_SCOPE}/users/<user_id>/identities/<identity_id>"): LOGIN + 4,
    ("DELETE", f"{TENANT_SCOPE}/users/<user_id>/phone"): LOGIN + 4,
    ("GET", f"{TENANT_SCOPE}/sessions"): LOGIN + 1,
    ("DELETE", f"{TENANT_SCOPE}/sessions/<session_id>"): LOGIN + 2,
    ("GET", f"{TENANT_SCOPE}/audit"): LOGIN + 1,
}


@pytest.mark.parametrize("route", ALLOWED, ids=" ".join)
def test_each_route_runs_a_fixed_number_of_statements(
    route: tuple[str, str], app: Flask, acme: TenantIds, statements: list[str]
) -> None:
    ann = Script(Client(app), "ann@acme.example")
    ann.sign_in()
    statements.clear()
    assert call(ann, acme, *route).status_code < 300
    assert len(statements) == ALLOWED[route], "\n".join(statements)


@pytest.mark.parametrize("people", [1, 4])
def test_the_number_of_statements_of_a_list_does_not_depend_on_its_rows(
    people: int, app: Flask, client: Client, alice: Person, statements: list[str]
) -> None:
    ann = signed_in(app, "ann@acme.example", "tenant_admin", "acme")
    for number in range(people):
        person = Person(alice.wechat, f"person{number}", f"1380013810{number}")
        user_id = client.bind(person)["user"]["id"]
        client.log_in(person, ACME_CLUB)
    for path in ("users", "sessions", "audit", "apps"):
        statements.clear()
        assert ann("GET", f"/tenants/acme/{path}").status_code == 200
        assert len(statements) == LOGIN + 1, path
    statements.clear()
    ann("GET", f"/tenants/acme/users/{user_id}")
    assert len(statements) == LOGIN + 5


@pytest.fixture
def debug_log(monkeypatch: pytest.MonkeyPatch, app: Flask) -> Iterator[io.StringIO]:
    """Set every logger to DEBUG in production format, and return the stream of log lines."""
    monkeypatch.setattr(logging.getLogger("werkzeug"), "disabled", True)
    stream = io.StringIO()
    logs.configure(as_json=True)
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    for name in (None, "sqlalchemy.engine", "sqlalchemy.orm", "psycopg", "urllib3"):
        monkeypatch.setattr(logging.getLogger(name), "level", logging.DEBUG)
    yield stream
    logs.configure(as_json=False)


def test_no_response_or_log_contains_secrets_of_tenants_or_operators(
    app: Flask, acme: TenantIds, debug_log: io.StringIO
) -> None:
    secrets = {
        "secret": "5ec1e70000000000000000000000aaaa",
        "next_secret": "5ec1e70000000000000000000000bbbb",
        "push_token": "PushTokenPushToken",
        "encoding_aes_key": "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefg",
    }
    ann = Script(Client(app), "ann@acme.example")
    ann.sign_in()
    answers = [ann("PUT", f"/tenants/acme/apps/{ACME_SHOP.appid}/secrets", json=secrets)]
    new = {"appid": "wxaaaa000000000009", "name": "New", **secrets}
    new.pop("next_secret")
    idempotent = {"Idempotency-Key": "key-1"}
    for _ in range(2):
        answers.append(ann("POST", "/tenants/acme/apps", json=new, headers=idempotent))
    assert {answer.status_code for answer in answers} == {200, 201}
    wrong = {"secret": secrets["secret"], "surprise": secrets["push_token"]}
    answers.append(ann("POST", "/tenants/acme/apps", json=wrong))
    person = {"account": "dave", "password": OTHER_PASSWORD, "phone": "13800138077"}
    answers.append(ann("POST", "/tenants/acme/users", json=person))
    answers.append(ann("POST", "/tenants/acme/users", json=person))
    answers.append(ann.sign_in("wrong-password"))
    for method, path in ROUTES:
        if method == "GET" and path.startswith(TENANT_SCOPE):
            answers.append(call(ann, acme, method, path))
    answered = "".join(answer.text for answer in answers)
    logged = debug_log.getvalue()
    assert '"route": "/v1/admin/tenants/<string:slug>/apps"' in logged
    hidden = {*secrets.values(), ACME_SHOP.secret, "13800138001", "13800138077"}
    hidden |= {PASSWORD, "wrong-password", OTHER_PASSWORD}
    assert {secret for secret in hidden if secret in answered} == set()
    tokens = set(ann.tokens.values()) - {900}
    assert {secret for secret in hidden | tokens if secret in logged} == set()


def test_an_invitation_secret_is_in_the_response_but_not_in_the_log(
    app: Flask, client: Client, debug_log: io.StringIO
) -> None:
    ops = signed_in(app, "ops@wxpass.example", "platform")
    body = {"email": "new@acme.example", "role": "tenant_reader", "tenant": "acme"}
    answer = ops("POST", "/operators", json=body).json
    reset = ops("POST", f"/operators/{answer['operator']['id']}/reset", json={}).json
    acceptance = {"invitation": reset["invitation"], "password": OTHER_PASSWORD}
    assert client.send("POST", "/v1/admin/invitation", json=acceptance).json == {
        "email": body["email"]
    }
    used = client.send("POST", "/v1/admin/invitation", json=acceptance)
    assert used.status_code == 404
    logged = debug_log.getvalue()
    for secret in (answer["invitation"], reset["invitation"], OTHER_PASSWORD):
        assert secret not in logged
    assert answer["operator"]["is_invited"] is True
    third = invite(app, "third@acme.example", "tenant_reader", "acme")
    assert third not in debug_log.getvalue()
    assert add_operator(app, "fourth@acme.example", "tenant_reader", "acme")


def test_the_error_about_an_unknown_field_does_not_contain_the_value(
    app: Flask, acme: TenantIds
) -> None:
    ann = Script(Client(app), "ann@acme.example")
    ann.sign_in()
    body: dict[str, Any] = {"Secret": "5ec1e70000000000000000000000aaaa"}
    refused = ann("PUT", f"/tenants/acme/apps/{ACME_SHOP.appid}/secrets", json=body)
    assert refused.status_code == 422
    assert body["Secret"] not in refused.text

"""Idempotency keys: a request repeated with the same key gets the first response."""

from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.services.database import idempotency
from tests.fixtures.operators import Script, signed_in
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import Reader, failure
from tests.services.login.test_concurrency import run_concurrently

KEY_TAKEN = (409, "idempotency_key_taken")
USERS = "/tenants/acme/users"
DAVE = {"account": "dave", "password": GOOD_PASSWORD}


@pytest.fixture
def ops(app: Flask) -> Script:
    """Return the admin API client of a platform admin."""
    return signed_in(app, "ops@wxpass.example", "platform")


def create(script: Script, path: str, body: dict[str, Any], key: str = "key-1") -> TestResponse:
    """Send a POST request with an idempotency key."""
    return script("POST", path, json=body, headers={"Idempotency-Key": key})


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/tenants", {"slug": "initech", "name": "Initech"}),
        ("/operators", {"email": "new@acme.example", "role": "tenant_admin", "tenant": "acme"}),
        (
            "/tenants/acme/apps",
            {"appid": "wxaaaa000000000009", "name": "New", "secret": "f0" * 16},
        ),
        (USERS, DAVE),
    ],
)
def test_request_repeated_with_its_idempotency_key_returns_the_first_response(
    ops: Script, rows: Reader, path: str, body: dict[str, Any]
) -> None:
    first = create(ops, path, body)
    assert first.status_code == 201
    assert "Idempotent-Replayed" not in first.headers
    events = rows.count("audit_events")
    second = create(ops, path, body)
    assert (second.status_code, second.json) == (201, first.json)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.content_type == first.content_type
    assert rows.count("audit_events") == events
    assert create(ops, path, body, "key-2").status_code == 409


def test_idempotency_key_used_with_a_different_request_is_refused(
    ops: Script, rows: Reader
) -> None:
    create(ops, USERS, DAVE)
    assert failure(create(ops, USERS, DAVE | {"password": "other-password"})) == KEY_TAKEN
    assert failure(create(ops, "/tenants/globex/users", DAVE)) == KEY_TAKEN
    assert rows.count("users") == 1


def test_idempotency_key_of_one_operator_does_not_affect_another_operator(
    app: Flask, ops: Script
) -> None:
    """Another operator who sends the same key does not receive the stored response."""
    create(ops, USERS, DAVE)
    other = signed_in(app, "ann@acme.example", "tenant_admin", "acme")
    assert failure(create(other, USERS, DAVE)) == (409, "account_exists")
    reader = signed_in(app, "rita@acme.example", "tenant_reader", "acme")
    assert failure(create(reader, USERS, DAVE)) == (403, "role_too_low")


def test_failed_request_can_be_repeated_with_the_same_idempotency_key(
    ops: Script, rows: Reader
) -> None:
    refused = create(ops, USERS, DAVE | {"phone": "nobody"})
    assert failure(refused) == (422, "phone_invalid")
    assert rows.count("idempotent_requests") == 0
    assert create(ops, USERS, DAVE).status_code == 201


def test_idempotency_key_expires_after_a_day(ops: Script, rows: Reader) -> None:
    create(ops, USERS, DAVE)
    rows("UPDATE idempotent_requests SET asked_at = now() - interval '23 hours'")
    assert create(ops, USERS, DAVE).headers["Idempotent-Replayed"] == "true"
    rows("UPDATE idempotent_requests SET asked_at = now() - interval '24 hours 1 second'")
    assert create(ops, USERS, {"account": "erin"}, "key-2").status_code == 201
    assert rows.count("idempotent_requests") == 1, "the expired row is deleted"
    assert failure(create(ops, USERS, DAVE)) == (409, "account_exists")


def test_unfinished_request_blocks_its_idempotency_key_until_it_expires_after_two_minutes(
    ops: Script, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed during a request leaves the request unfinished."""
    monkeypatch.setattr(idempotency, "backoff", lambda: range(2))
    create(ops, USERS, DAVE)
    rows("UPDATE idempotent_requests SET status = NULL, answer_sealed = NULL")
    assert failure(create(ops, USERS, DAVE)) == (409, "idempotency_pending")
    rows("UPDATE idempotent_requests SET asked_at = now() - interval '3 minutes'")
    assert failure(create(ops, USERS, DAVE)) == (409, "account_exists")


@pytest.mark.parametrize("key", ["", "x" * 65, "two words", "schlüssel"])
def test_malformed_idempotency_key_is_refused(ops: Script, key: str) -> None:
    refused = create(ops, USERS, DAVE, key)
    assert failure(refused) == (422, "request_invalid")
    assert "Idempotency-Key" in refused.json["errors"]


def test_request_without_an_idempotency_key_is_not_deduplicated(ops: Script, rows: Reader) -> None:
    assert ops("POST", USERS, json=DAVE).status_code == 201
    assert failure(ops("POST", USERS, json=DAVE)) == (409, "account_exists")
    assert rows.count("idempotent_requests") == 0


def test_stored_idempotent_requests_and_responses_are_not_readable(
    ops: Script, rows: Reader
) -> None:
    """Responses are encrypted, and requests are hashed: they contain invitations and passwords."""
    invitation = create(ops, "/operators", {"email": "new@wxpass.example", "role": "platform"})
    create(ops, USERS, DAVE, "key-2")
    kept = str(rows("SELECT r::text FROM idempotent_requests r"))
    assert rows.count("idempotent_requests", "answer_sealed IS NOT NULL") == 2
    for secret in (invitation.json["invitation"], "new@wxpass.example", "dave"):
        assert secret not in kept
        assert secret.encode().hex() not in kept


@pytest.mark.real_commits
def test_concurrent_requests_with_one_idempotency_key_create_one_operator(
    app: Flask, ops: Script, rows: Reader
) -> None:
    body = {"email": "new@wxpass.example", "role": "platform"}
    answers = run_concurrently([lambda: create(ops, "/operators", body) for _ in range(8)])
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json["invitation"] for answer in answers}) == 1
    replayed = [answer for answer in answers if "Idempotent-Replayed" in answer.headers]
    assert len(replayed) == 7
    assert rows.count("operators", "email = 'new@wxpass.example'") == 1
    assert rows.count("platform_audit_events", "action = 'operator.invited'") == 2

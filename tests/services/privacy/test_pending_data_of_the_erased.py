"""Erasure of stored idempotent responses and pending imports that contain a user's data."""

from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from app.errors import ImportInterrupted, ImportUnknown
from app.services import audit
from app.services.apps.tenants import tenant_id_of
from app.services.database.idempotency import Answer, ShownUser, keep_answer
from app.services.retention.run import run_retention
from app.services.user_import import run
from app.services.user_import.files import read_user_file
from app.services.user_import.preview import preview_import
from app.services.user_import.run import confirm_import, import_progress
from tests.fixtures.operators import Script, signed_in
from tests.fixtures.personas import Client, Person, Reader, enter_user
from tests.fixtures.portal import Portal, configure, event, succeeded
from tests.fixtures.user_files import csv_of
from tests.services.database.test_idempotency import USERS, create

ANNA = audit.Actor("operator", UUID(int=1), "192.0.2.1")
BERT = audit.Actor("operator", UUID(int=2), "192.0.2.2")
ALICE = {"account": "alice", "phone": "13800138001", "nickname": "Alice"}
CANCEL, MODIFIED = "user_authorization_cancellation", "user_info_modified"


@pytest.fixture
def ops(app: Flask) -> Script:
    """Return the admin API client of a platform admin."""
    return signed_in(app, "ops@wxpass.example", "platform")


def erase_all(app: Flask, rows: Reader) -> None:
    """End the grace period of every user and run retention."""
    for (tenant_id,) in rows("SELECT id FROM tenants"):
        rows("UPDATE users SET erase_after = now() WHERE tenant_id = :id", id=tenant_id)
    with app.app_context():
        assert dict(run_retention())["failed"] == 0


# Stored responses


def test_stored_response_is_erased_with_the_user_that_it_contains(
    app: Flask, ops: Script, rows: Reader
) -> None:
    """Stored responses that contain other users, or no user, are kept."""
    alice = create(ops, USERS, ALICE, "key-1").json["user"]["id"]
    bob = create(ops, USERS, {"account": "bob"}, "key-2").json["user"]["id"]
    create(ops, "/tenants", {"slug": "initech", "name": "Initech"}, "key-3")
    create(ops, "/operators", {"email": "n@acme.example", "role": "platform"}, "key-4")
    linked = "SELECT user_id::text FROM idempotent_requests ORDER BY key"
    assert rows(linked) == [(alice,), (bob,), (None,), (None,)]
    rows(f"UPDATE users SET erase_after = now() WHERE id = '{alice}'")
    with app.app_context():
        dict(run_retention())
    assert rows(linked) == [(bob,), (None,), (None,)]
    assert create(ops, USERS, {"account": "bob"}, "key-2").headers["Idempotent-Replayed"] == "true"


def test_request_with_an_idempotency_key_repeated_after_the_erasure_adds_a_new_user(
    app: Flask, ops: Script, rows: Reader
) -> None:
    """The stored response of the first request is not returned."""
    first = create(ops, USERS, ALICE).json["user"]["id"]
    erase_all(app, rows)
    again = create(ops, USERS, ALICE)
    assert (again.status_code, "Idempotent-Replayed" in again.headers) == (201, False)
    assert again.json["user"]["id"] != first


def test_stored_response_that_contains_a_merged_user_is_erased(
    app: Flask, ops: Script, rows: Reader
) -> None:
    """The merged user is erased together with the user that it was merged into."""
    merged = create(ops, USERS, ALICE, "key-1").json["user"]["id"]
    into = create(ops, USERS, {"account": "other"}, "key-2").json["user"]["id"]
    ops("POST", f"{USERS}/{merged}/merge", json={"into_id": into})
    rows(f"UPDATE users SET erase_after = now() WHERE id = '{into}'")
    with app.app_context():
        dict(run_retention())
    assert rows.count("idempotent_requests") == 0


def test_response_that_contains_a_user_erased_during_the_request_is_not_stored(
    app: Flask, ops: Script, rows: Reader
) -> None:
    user_id = UUID(create(ops, USERS, ALICE).json["user"]["id"])
    ((request,),) = rows("SELECT id FROM idempotent_requests")
    rows("UPDATE idempotent_requests SET status = NULL, answer_sealed = NULL, user_id = NULL")
    with app.app_context():
        answer = Answer(201, "{}", ShownUser(tenant_id_of("acme"), user_id))
        keep_answer(request, answer)
        assert rows.count("idempotent_requests", "answer_sealed IS NOT NULL") == 1
        rows("DELETE FROM phones")
        rows("DELETE FROM users")
        keep_answer(request, answer)
    assert rows.count("idempotent_requests") == 0


@pytest.mark.parametrize(
    "fields",
    [
        *({"RevokeInfo": number} for number in ("6", "8", "19", "8,99")),
        *({"Event": name} for name in (MODIFIED, CANCEL)),
    ],
    ids=str,
)
def test_stored_response_is_erased_when_consent_to_its_data_is_revoked(
    app: Flask, client: Client, ops: Script, alice: Person, rows: Reader, fields: dict[str, str]
) -> None:
    """The response contains the nickname and the masked phone number."""
    create(ops, USERS, ALICE, "key-1")
    create(ops, USERS, {"account": "bob"}, "key-2")
    configure(app)
    openid = client.bind(alice)["openid"]
    portal = Portal(client)
    assert succeeded(portal.push(event(OpenID=openid, RevokeInfo="16", CreateTime=1)))
    assert rows.count("idempotent_requests") == 2
    name = fields.get("Event", "user_authorization_revoke")
    plain_fields = {key: value for key, value in fields.items() if key != "Event"}
    assert succeeded(portal.push(event(name, OpenID=openid, **plain_fields)))
    assert rows("SELECT key FROM idempotent_requests") == [("key-2",)]


# Pending imports


@pytest.fixture
def acme(app: Flask) -> UUID:
    """Return the id of the tenant acme."""
    with app.app_context():
        return tenant_id_of("acme")


def preview(tenant_id: UUID, *people: tuple[str, str, str], actor: audit.Actor = ANNA) -> UUID:
    """Preview an import file with these people. Return the id of the pending import."""
    file = read_user_file(csv_of(("account", "phone", "nickname"), *people))
    import_id = preview_import(actor, tenant_id, file).import_id
    assert import_id is not None
    return import_id


HOLDS_ALICE = [
    (("alice", "", ""), "by account"),
    (("", "13800138001", "Alice"), "by number"),
    (("other", "+86 138 0013 8001", ""), "by number, spelt in another way"),
]


@pytest.mark.parametrize("row", [row for row, _ in HOLDS_ALICE], ids=[n for _, n in HOLDS_ALICE])
def test_pending_import_that_contains_an_erased_user_is_deleted(
    app: Flask, acme: UUID, rows: Reader, row: tuple[str, str, str]
) -> None:
    """Other pending imports of the tenant, and those of another tenant, are kept."""
    with app.app_context():
        globex = tenant_id_of("globex")
        first = preview(acme, ("bert", "13800138009", "Alice"), row)
        stays = preview(acme, ("bert", "13800138009", "Alice"), actor=BERT)
        there = preview(globex, row)
    enter_user(app, account="alice", phone="13800138001")
    erase_all(app, rows)
    assert {one for (one,) in rows("SELECT id FROM people_imports")} == {stays, there}
    with app.app_context():
        with pytest.raises(ImportUnknown):
            confirm_import(ANNA, acme, first)
        assert confirm_import(BERT, acme, stays).people == 1


def test_running_import_that_contains_an_erased_user_is_interrupted(
    app: Flask, acme: UUID, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The import adds no user, and its progress reports the interruption."""
    make_ready = run.make_ready

    def erase_when_ready(tenant_id: UUID, people: Any) -> Any:
        yield from make_ready(tenant_id, people)
        enter_user(app, account="alice")
        erase_all(app, rows)

    monkeypatch.setattr(run, "make_ready", erase_when_ready)
    with app.app_context():
        import_id = preview(acme, ("alice", "", "Alice"), ("bert", "", ""))
        with pytest.raises(ImportInterrupted):
            confirm_import(ANNA, acme, import_id)
        progress = import_progress(ANNA, acme, import_id)
    assert (progress.state, progress.failure) == ("failed", ImportInterrupted.code)
    assert rows("SELECT people_sealed, count(*) FROM people_imports GROUP BY 1") == [(None, 1)]
    assert rows.count("users") == 0


def test_pending_import_that_cannot_be_decrypted_is_deleted_by_an_erasure(
    app: Flask, acme: UUID, rows: Reader
) -> None:
    """Without the key, whether the import contains the erased user cannot be checked."""
    with app.app_context():
        preview(acme, ("bert", "", ""))
    rows("UPDATE people_imports SET people_sealed = 'lost:' || substr(people_sealed, 4)")
    enter_user(app, account="alice")
    erase_all(app, rows)
    assert [rows.count(table) for table in ("users", "people_imports")] == [0, 0]


def test_pending_import_that_contains_a_revoked_phone_number_is_deleted(
    app: Flask, acme: UUID, client: Client, alice: Person, rows: Reader
) -> None:
    configure(app)
    with app.app_context():
        preview(acme, ("", "13800138001", ""))
        kept = preview(acme, ("", "13800138009", ""), actor=BERT)
    openid = client.bind(alice)["openid"]
    assert succeeded(Portal(client).push(event(OpenID=openid, RevokeInfo="6")))
    assert rows.count("people_imports") == 2
    assert succeeded(Portal(client).push(event(OpenID=openid, RevokeInfo="8", CreateTime=1)))
    assert rows("SELECT id FROM people_imports") == [(kept,)]


def test_erasure_of_a_visitor_keeps_stored_responses_and_pending_imports(
    app: Flask, acme: UUID, client: Client, ops: Script, alice: Person, rows: Reader
) -> None:
    """A visitor has neither account nor phone number, so no pending data can be about a visitor."""
    create(ops, USERS, {"account": "bob"})
    with app.app_context():
        preview(acme, ("alice", "13800138001", "Alice"))
    assert client.send("DELETE", "/v1/me", client.log_in(alice)["token"]).status_code == 200
    assert [rows.count(one) for one in ("idempotent_requests", "people_imports")] == [1, 1]

"""What operators' requests left waiting goes with the person: stored answers, pending imports."""

from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from app.errors import ImportInterrupted, ImportUnknown
from app.services import audit
from app.services.apps.tenants import tenant_id_of
from app.services.database.idempotency import Answer, keep_answer
from app.services.retention import run_retention
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
    """An operator of the platform."""
    return signed_in(app, "ops@wxpass.example", "platform")


def erase_all(app: Flask, rows: Reader) -> None:
    """Erase every user as closed accounts are."""
    rows("UPDATE users SET erase_after = now()")
    with app.app_context():
        assert dict(run_retention())["failed"] == 0


# Stored answers


def test_an_answer_goes_with_the_user_whom_it_shows(app: Flask, ops: Script, rows: Reader) -> None:
    """And others stay, of other users and of no user at all."""
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


def test_a_creation_repeated_after_the_erasure_is_a_new_one(
    app: Flask, ops: Script, rows: Reader
) -> None:
    """Not the page of the person who was erased."""
    first = create(ops, USERS, ALICE).json["user"]["id"]
    erase_all(app, rows)
    again = create(ops, USERS, ALICE)
    assert (again.status_code, "Idempotent-Replayed" in again.headers) == (201, False)
    assert again.json["user"]["id"] != first


def test_the_answer_about_a_merged_user_goes_too(app: Flask, ops: Script, rows: Reader) -> None:
    """A merged user is erased with the one that they were merged into."""
    merged = create(ops, USERS, ALICE, "key-1").json["user"]["id"]
    into = create(ops, USERS, {"account": "other"}, "key-2").json["user"]["id"]
    ops("POST", f"{USERS}/{merged}/merge", json={"into_id": into})
    rows(f"UPDATE users SET erase_after = now() WHERE id = '{into}'")
    with app.app_context():
        dict(run_retention())
    assert rows.count("idempotent_requests") == 0


def test_no_answer_is_kept_of_a_user_who_was_erased_meanwhile(
    app: Flask, ops: Script, rows: Reader
) -> None:
    """The creation was answered; nobody would delete the answer any more."""
    user = UUID(create(ops, USERS, ALICE).json["user"]["id"])
    ((request,),) = rows("SELECT id FROM idempotent_requests")
    rows("UPDATE idempotent_requests SET status = NULL, answer_sealed = NULL, user_id = NULL")
    with app.app_context():
        keep_answer(request, Answer(201, "{}", user))
        assert rows.count("idempotent_requests", "answer_sealed IS NOT NULL") == 1
        rows("DELETE FROM phones")
        rows("DELETE FROM users")
        keep_answer(request, Answer(201, "{}", user))
    assert rows.count("idempotent_requests") == 0


@pytest.mark.parametrize(
    "said",
    [
        *({"RevokeInfo": number} for number in ("6", "8", "19", "8,99")),
        *({"Event": name} for name in (MODIFIED, CANCEL)),
    ],
    ids=str,
)
def test_an_answer_goes_when_what_it_shows_is_withdrawn(
    app: Flask, client: Client, ops: Script, alice: Person, rows: Reader, said: dict[str, str]
) -> None:
    """It shows the nickname and the masked number."""
    create(ops, USERS, ALICE, "key-1")
    create(ops, USERS, {"account": "bob"}, "key-2")
    configure(app)
    openid = client.bind(alice)["openid"]
    portal = Portal(client)
    assert succeeded(portal.push(event(OpenID=openid, RevokeInfo="16", CreateTime=1)))
    assert rows.count("idempotent_requests") == 2
    name = said.get("Event", "user_authorization_revoke")
    fields = {key: value for key, value in said.items() if key != "Event"}
    assert succeeded(portal.push(event(name, OpenID=openid, **fields)))
    assert rows("SELECT key FROM idempotent_requests") == [("key-2",)]


# Pending imports


@pytest.fixture
def acme(app: Flask) -> UUID:
    """The tenant."""
    with app.app_context():
        return tenant_id_of("acme")


def preview(tenant_id: UUID, *people: tuple[str, str, str], actor: audit.Actor = ANNA) -> UUID:
    """Preview a file."""
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
def test_a_preview_that_holds_the_person_goes_with_them(
    app: Flask, acme: UUID, rows: Reader, row: tuple[str, str, str]
) -> None:
    """And those that do not, and the neighbour's, stay."""
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


def test_a_running_import_that_holds_the_person_is_given_up(
    app: Flask, acme: UUID, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It imports nobody, and the operator reads that it was interrupted."""
    make_ready = run.make_ready

    def erased_while_ready(tenant_id: UUID, people: Any) -> Any:
        yield from make_ready(tenant_id, people)
        enter_user(app, account="alice")
        erase_all(app, rows)

    monkeypatch.setattr(run, "make_ready", erased_while_ready)
    with app.app_context():
        import_id = preview(acme, ("alice", "", "Alice"), ("bert", "", ""))
        with pytest.raises(ImportInterrupted):
            confirm_import(ANNA, acme, import_id)
        progress = import_progress(ANNA, acme, import_id)
    assert (progress.state, progress.failure) == ("failed", ImportInterrupted.code)
    assert rows("SELECT people_sealed, count(*) FROM people_imports GROUP BY 1") == [(None, 1)]
    assert rows.count("users") == 0


def test_a_preview_that_does_not_decrypt_goes_too(app: Flask, acme: UUID, rows: Reader) -> None:
    """Its key is lost: nobody can confirm it, and it must not keep a person from being erased."""
    with app.app_context():
        preview(acme, ("bert", "", ""))
    rows("UPDATE people_imports SET people_sealed = 'lost:' || substr(people_sealed, 4)")
    enter_user(app, account="alice")
    erase_all(app, rows)
    assert [rows.count(table) for table in ("users", "people_imports")] == [0, 0]


def test_a_preview_goes_when_the_number_in_it_is_withdrawn(
    app: Flask, acme: UUID, client: Client, alice: Person, rows: Reader
) -> None:
    """The number is not ours any more, wherever it came from."""
    configure(app)
    with app.app_context():
        preview(acme, ("", "13800138001", ""))
        kept = preview(acme, ("", "13800138009", ""), actor=BERT)
    openid = client.bind(alice)["openid"]
    assert succeeded(Portal(client).push(event(OpenID=openid, RevokeInfo="6")))
    assert rows.count("people_imports") == 2
    assert succeeded(Portal(client).push(event(OpenID=openid, RevokeInfo="8", CreateTime=1)))
    assert rows("SELECT id FROM people_imports") == [(kept,)]


def test_a_visitors_erasure_leaves_operators_requests_alone(
    app: Flask, acme: UUID, client: Client, ops: Script, alice: Person, rows: Reader
) -> None:
    """A visitor has neither account nor number here."""
    create(ops, USERS, {"account": "bob"})
    with app.app_context():
        preview(acme, ("alice", "13800138001", "Alice"))
    assert client.send("DELETE", "/v1/me", client.log_in(alice)["token"]).status_code == 200
    assert [rows.count(one) for one in ("idempotent_requests", "people_imports")] == [1, 1]

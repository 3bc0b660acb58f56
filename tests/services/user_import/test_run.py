"""Importing people: everybody or nobody, once, by whoever previewed it, in their own tenant."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from app.clock import now
from app.errors import (
    ImportConfirmed,
    ImportPasswordsTooMany,
    ImportUnknown,
    UserFileImported,
    UsersRefused,
)
from app.services import audit
from app.services.apps.tenants import tenant_id_of
from app.services.user_import import preview as previews
from app.services.user_import import run
from app.services.user_import.files import UserFile, read_user_file
from app.services.user_import.preview import Preview, check_users, preview_import
from app.services.user_import.run import Progress, confirm_import, import_progress, import_users
from app.services.user_import.validation import MOST_PASSWORDS
from tests.admin.console.browser import add_operator
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import GLOBEX_LIFE, Client, Person, Reader, enter_user, statements_sent
from tests.fixtures.user_files import csv_of, xlsx_of
from tests.services.login.test_concurrency import run_concurrently

ANNA = audit.Actor("operator", UUID(int=1), "192.0.2.1")
BERT = audit.Actor("operator", UUID(int=2), "192.0.2.2")
HEADER = ("account", "phone", "nickname")


@pytest.fixture
def acme(app: Flask) -> Iterator[UUID]:
    """The tenant, with its app around the test."""
    with app.app_context():
        yield tenant_id_of("acme")


@pytest.fixture
def globex(app: Flask) -> UUID:
    """The neighbour."""
    with app.app_context():
        return tenant_id_of("globex")


def people(count: int, *more: tuple[str, ...], header: tuple[str, ...] = HEADER) -> UserFile:
    """Make a file of people, and of some rows behind them."""
    rows = [(f"person{n}", str(13900000000 + n), f"第 {n} 人") for n in range(count)]
    return read_user_file(csv_of(header, *rows, *more))


def bad_of(preview: Preview) -> list[tuple[int, str, str, int | None]]:
    """List what is wrong."""
    return [(one.row, one.column, one.code, one.earlier_row) for one in preview.bad]


def previewed(actor: audit.Actor, tenant_id: UUID, file: UserFile) -> UUID:
    """Preview a good file."""
    preview = preview_import(actor, tenant_id, file)
    assert preview.import_id is not None, preview.bad
    return preview.import_id


def state_of(rows: Reader) -> list[tuple[Any, ...]]:
    """Read what is kept of imports, and whether their people are."""
    return rows(
        "SELECT state, rows_done, row_count, failure, people_sealed IS NOT NULL FROM people_imports"
        " ORDER BY id"
    )


def test_three_bad_rows_among_a_thousand_are_not_named_or_some_are_imported(
    app: Flask, acme: UUID, rows: Reader
) -> None:
    enter_user(app, account="bob")
    file = people(997, ("BOB", "13800000001", ""), ("carl", "12", ""), ("Person7", "", ""))

    preview = preview_import(ANNA, acme, file)

    assert (preview.rows, preview.good, preview.import_id) == (1000, 997, None)
    assert bad_of(preview) == [
        (999, "account", "account_taken", None),
        (1000, "phone", "phone_invalid", None),
        (1001, "account", "account_twice", 9),
    ]
    assert preview.columns == HEADER
    assert (rows.count("users"), rows.count("people_imports")) == (1, 0)
    with pytest.raises(UsersRefused) as refused:
        import_users(ANNA, acme, file)
    assert refused.value.errors is not None
    assert [one["row"] for one in refused.value.errors["rows"]] == [999, 1000, 1001]
    assert refused.value.about == "999, 1000, 1001"
    assert rows.count("users") == 1


def test_what_was_previewed_is_not_what_is_imported(
    acme: UUID, rows: Reader, client: Client, alice: Person
) -> None:
    header = ("账号", "手机号", "昵称", "密码")
    content = xlsx_of(
        header,
        [" Ａlice ", 13800138001, "爱丽丝", GOOD_PASSWORD],
        [None, "+1 202-555-0123", None, None],
        ["carol"],
    )
    told: list[int] = []
    one = previewed(ANNA, acme, read_user_file(content))
    assert rows.count("users") == 0

    done = confirm_import(ANNA, acme, one, told.append)

    assert (done.people, done.import_id, told) == (3, one, [1, 2, 3])
    assert rows("SELECT account, nickname, password_hash IS NOT NULL FROM users ORDER BY 1") == [
        ("alice", "爱丽丝", True),
        ("carol", None, False),
        (None, None, False),
    ]
    bound = client.bind(alice)
    assert (bound["user"]["account"], bound["user"]["phone"]) == ("alice", "+8613800138001")
    credentials = {"account": "alice", "password": GOOD_PASSWORD}
    assert client.post("password-login", **credentials).status_code == 200
    assert rows("SELECT country_code FROM phones ORDER BY 1") == [(1,), (86,)]


def test_an_import_is_not_in_the_audit(acme: UUID, rows: Reader) -> None:
    one = previewed(ANNA, acme, people(3))
    ((index,),) = rows("SELECT file_index FROM people_imports")
    confirm_import(ANNA, acme, one)
    audited = "SELECT * FROM audit_events WHERE action LIKE 'users.%'"
    query = f"SELECT tenant_id, actor_kind, actor_id, ip, subject, details FROM ({audited}) AS a"
    details = {"people": "3", "file": bytes(index).hex()}
    assert rows(query) == [(acme, "operator", ANNA.id, ANNA.ip, str(one), details)]


def test_a_preview_is_kept_in_clear_or_longer_than_needed(acme: UUID, rows: Reader) -> None:
    file = people(1, ("zoe", "13800138009", "Zoe"))
    one = previewed(ANNA, acme, file)
    ((row,),) = rows("SELECT p::text FROM people_imports p")
    for secret in ("13800138009", "zoe", "Zoe", file.digest):
        assert secret not in row
    assert state_of(rows) == [("previewed", 0, 2, None, True)]
    confirm_import(ANNA, acme, one)
    assert state_of(rows) == [("done", 2, 2, None, False)]


# Twice


def test_a_double_click_imports_twice(acme: UUID, rows: Reader) -> None:
    one = previewed(ANNA, acme, people(3))
    confirm_import(ANNA, acme, one)
    with pytest.raises(ImportConfirmed):
        confirm_import(ANNA, acme, one)
    assert import_progress(ANNA, acme, one) == Progress("done", 3, 3, None)
    assert rows.count("users") == 3


def test_the_same_file_is_refused_with_when_and_by_whom(
    app: Flask, acme: UUID, rows: Reader
) -> None:
    email = add_operator(app, "ann@acme.example")
    ((operator_id,),) = rows("SELECT id FROM operators WHERE email = :email", email=email)
    import_users(audit.Actor("operator", operator_id), acme, people(3))
    rows("UPDATE people_imports SET imported_at = '2026-01-02 03:04:05+00'")
    for act in (
        lambda: preview_import(BERT, acme, people(3)),
        lambda: check_users(acme, people(3)),
    ):
        with pytest.raises(UserFileImported) as refused:
            act()
        told = {"imported_at": "2026-01-02T03:04:05+00:00", "imported_by": "ann@acme.example"}
        assert refused.value.errors == told
        assert refused.value.en.format(**refused.value.values).startswith(
            "This file was already imported on 2026-01-02 03:04 UTC by ann@acme.example; "
        )
    with pytest.raises(UserFileImported):
        import_users(BERT, acme, people(3))
    assert preview_import(BERT, acme, people(4)).imported_at is None
    assert rows.count("users") == 3


def test_a_file_that_a_command_imported_is_refused_with_the_command(acme: UUID) -> None:
    import_users(audit.OPERATOR, acme, people(3))
    with pytest.raises(UserFileImported) as refused:
        preview_import(BERT, acme, people(3))
    assert refused.value.errors is not None
    assert refused.value.errors["imported_by"] is None
    assert " by flask users import; " in refused.value.en.format(**refused.value.values)


def test_the_same_file_is_imported_again_after_its_users_have_gone(
    acme: UUID, rows: Reader
) -> None:
    import_users(ANNA, acme, people(3))
    rows("DELETE FROM phones")
    rows("DELETE FROM users")
    again = preview_import(BERT, acme, people(3))
    assert again.imported_at is not None
    assert again.imported_by == str(ANNA.id)
    assert again.import_id is not None
    assert confirm_import(BERT, acme, again.import_id).people == 3


def test_a_preview_shows_the_first_ten_good_rows_and_the_last_without_passwords(
    acme: UUID,
) -> None:
    header = (*HEADER, "password")
    rows = [(f"Person{n}", f"139 {n:08}", f"第 {n} 人", GOOD_PASSWORD) for n in range(2, 32)]
    rows[3] = ("a" * 65, "", "", "")
    preview = check_users(acme, read_user_file(csv_of(header, *rows)))
    assert [one.row for one in preview.sample] == [2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 31]
    first = preview.sample[0]
    shown = (first.account, first.phone, first.nickname, first.has_password)
    assert shown == ("person2", "+8613900000002", "第 2 人", True)
    assert GOOD_PASSWORD not in repr([getattr(first, name) for name in first.__slots__])
    for count in (1, 10, 11):
        sample = check_users(acme, people(count)).sample
        assert [one.row for one in sample] == [*range(2, count + 2)]


def test_a_second_preview_leaves_the_first_lying_about(acme: UUID, rows: Reader) -> None:
    first, bobs = previewed(ANNA, acme, people(3)), previewed(BERT, acme, people(3))
    second = previewed(ANNA, acme, people(4))
    with pytest.raises(ImportUnknown):
        confirm_import(ANNA, acme, first)
    assert import_progress(BERT, acme, bobs).state == "previewed"
    assert confirm_import(ANNA, acme, second).people == 4


def test_a_command_loses_its_preview_to_another(acme: UUID) -> None:
    first = previewed(audit.OPERATOR, acme, people(3))
    previewed(audit.OPERATOR, acme, people(2))
    assert confirm_import(audit.OPERATOR, acme, first).people == 3


# Between preview and confirmation


def test_what_became_bad_since_the_preview_is_imported_in_part(
    app: Flask, acme: UUID, rows: Reader
) -> None:
    one = previewed(ANNA, acme, people(5))
    enter_user(app, account="person3", phone="13900000001")
    with pytest.raises(UsersRefused) as refused:
        confirm_import(ANNA, acme, one)
    assert refused.value.errors == {
        "rows": [
            {"row": 3, "column": "phone", "code": "phone_taken", "earlier_row": None},
            {"row": 5, "column": "account", "code": "account_taken", "earlier_row": None},
        ]
    }
    assert (rows.count("users"), rows.count("phones")) == (1, 1)
    assert import_progress(ANNA, acme, one) == Progress("failed", 5, 5, "people_refused")
    assert state_of(rows) == [("failed", 5, 5, "people_refused", False)]


def test_an_old_preview_is_confirmed(acme: UUID, rows: Reader) -> None:
    one = previewed(ANNA, acme, people(3))
    rows("UPDATE people_imports SET expires_at = now() - interval '1 second'")
    for act in (confirm_import, import_progress):
        with pytest.raises(ImportUnknown):
            act(ANNA, acme, one)
    preview_import(BERT, acme, people(2))
    assert rows.count("people_imports", f"id = '{one}'") == 0


def test_an_import_whose_worker_died_runs_for_ever(acme: UUID, rows: Reader) -> None:
    one = previewed(ANNA, acme, people(3))
    rows("UPDATE people_imports SET state = 'running', rows_done = 2, expires_at = now()")
    given_up = Progress("failed", 2, 3, "import_interrupted")
    assert import_progress(ANNA, acme, one) == given_up
    with pytest.raises(ImportConfirmed):
        confirm_import(ANNA, acme, one)
    preview_import(BERT, acme, people(2))
    assert import_progress(ANNA, acme, one) == given_up
    assert (rows.count("users"), rows.count("people_imports", "people_sealed IS NULL")) == (0, 1)


@pytest.mark.parametrize("error", [OperationalError("", {}, Exception()), KeyboardInterrupt()])
def test_a_failure_in_the_midst_leaves_people_behind(
    error: BaseException, acme: UUID, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    one = previewed(ANNA, acme, people(3))
    monkeypatch.setattr(run.audit, "record", fail)
    with pytest.raises(type(error)):
        confirm_import(ANNA, acme, one)
    assert (rows.count("users"), rows.count("phones")) == (0, 0)
    assert import_progress(ANNA, acme, one) == Progress("failed", 3, 3, "import_interrupted")


def test_an_import_that_was_given_up_is_done_all_the_same(acme: UUID, rows: Reader) -> None:
    one = previewed(ANNA, acme, people(3))

    def give_up(count: int) -> None:
        if count == 3:
            rows("UPDATE people_imports SET expires_at = now() - interval '1 second'")
            preview_import(BERT, acme, people(1))

    with pytest.raises(run.ImportInterrupted):
        confirm_import(ANNA, acme, one, give_up)
    assert rows.count("users") == 0


# Walls


def test_the_neighbours_people_stand_in_the_way(app: Flask, acme: UUID, rows: Reader) -> None:
    enter_user(app, "globex", account="person0", phone="13900000001")
    assert import_users(ANNA, acme, people(3)).people == 3


def test_somebody_else_confirms_or_watches_a_preview(
    acme: UUID, globex: UUID, rows: Reader
) -> None:
    one = previewed(ANNA, acme, people(3))
    others = [(ANNA, globex), (BERT, acme), (BERT, globex), (audit.OPERATOR, acme)]
    for actor, tenant_id in others:
        for act in (confirm_import, import_progress):
            with pytest.raises(ImportUnknown):
                act(actor, tenant_id, one)
    with pytest.raises(ImportUnknown):
        confirm_import(ANNA, acme, uuid4())
    assert (rows.count("users"), state_of(rows)) == (0, [("previewed", 0, 3, None, True)])
    confirm_import(ANNA, acme, one)
    assert rows("SELECT DISTINCT tenant_id FROM users") == [(acme,)]


def test_the_same_file_is_known_at_the_neighbour(acme: UUID, globex: UUID, rows: Reader) -> None:
    import_users(ANNA, acme, people(3))
    assert check_users(globex, people(3)).imported_at is None
    import_users(ANNA, globex, people(3))
    assert len(rows("SELECT DISTINCT file_index FROM people_imports")) == 2


def test_an_import_goes_to_another_tenant_than_its_people(
    acme: UUID, rows: Reader, client: Client, alice: Person
) -> None:
    import_users(ANNA, acme, read_user_file(b"account,phone\nalice,13800138001\n"))
    assert client.bind(alice, GLOBEX_LIFE)["user"]["account"] is None


# Work


def test_many_people_ask_the_database_more_than_few(
    acme: UUID, globex: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "NOTED_EVERY", timedelta(hours=1))
    sent = {}
    for tenant_id, count in ((acme, 2), (globex, 1_000)):
        file = people(count)
        with statements_sent() as of_preview:
            one = previewed(ANNA, tenant_id, file)
        with statements_sent() as of_import:
            confirm_import(ANNA, tenant_id, one)
        sent[count] = (len(of_preview), len(of_import))
    assert sent[2] == sent[1_000] == (6, 9)


def test_passwords_without_end_are_hashed(acme: UUID) -> None:
    header = ("account", "password")
    rows = [(f"a{number}", GOOD_PASSWORD) for number in range(MOST_PASSWORDS + 1)]
    assert check_users(acme, read_user_file(csv_of(header, *rows[:-1]))).bad == []
    with pytest.raises(ImportPasswordsTooMany):
        preview_import(ANNA, acme, read_user_file(csv_of(header, *rows)))


# At once


@pytest.mark.real_commits
def test_two_imports_of_the_same_people_are_mixed(app: Flask, rows: Reader) -> None:
    with app.app_context():
        acme = tenant_id_of("acme")
        forwards, backwards = people(300), people(300)
        backwards = replace(backwards, people=backwards.people[::-1])
        files = ((ANNA, forwards), (BERT, backwards))
        imports = [(actor, previewed(actor, acme, file)) for actor, file in files]

    def confirm(actor: audit.Actor, one: UUID) -> str:
        with app.app_context():
            try:
                return f"{confirm_import(actor, acme, one).people}"
            except UsersRefused as refused:
                told = refused.errors or {}
                return f"refused {len({bad['row'] for bad in told['rows']})}"

    outcomes = run_concurrently([lambda one=one: confirm(*one) for one in imports])

    assert sorted(outcomes) == ["300", "refused 300"]
    assert (rows.count("users"), rows.count("phones")) == (300, 300)
    assert sorted(state for state, *_ in state_of(rows)) == ["done", "failed"]
    assert rows.count("audit_events", "action = 'users.imported'") == 1


@pytest.mark.real_commits
def test_ten_clicks_at_once_import_more_than_once(app: Flask, rows: Reader) -> None:
    with app.app_context():
        acme = tenant_id_of("acme")
        one = previewed(ANNA, acme, people(50))

    def confirm() -> str:
        with app.app_context():
            try:
                return f"{confirm_import(ANNA, acme, one).people}"
            except ImportConfirmed as refused:
                return refused.code

    assert sorted(run_concurrently([confirm] * 10)) == ["50", *["import_confirmed"] * 9]
    assert rows.count("users") == 50


@pytest.mark.real_commits
def test_nobody_can_see_how_far_an_import_is(
    app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "NOTED_EVERY", timedelta(0))
    seen: list[tuple[Progress, int]] = []

    def watch(acme: UUID, one: UUID) -> Callable[[int], None]:
        def look(count: int) -> None:
            if count in (1, 20):
                seen.extend(run_concurrently([lambda: look_from_elsewhere(acme, one)]))

        return look

    def look_from_elsewhere(acme: UUID, one: UUID) -> tuple[Progress, int]:
        with app.app_context():
            return import_progress(ANNA, acme, one), rows.count("users")

    with app.app_context():
        acme = tenant_id_of("acme")
        one = previewed(ANNA, acme, people(30))
        confirm_import(ANNA, acme, one, watch(acme, one))
        done = import_progress(ANNA, acme, one)
    assert seen == [
        (Progress("running", 0, 30, None), 0),
        (Progress("running", 19, 30, None), 0),
    ]
    assert done == Progress("done", 30, 30, None)


@pytest.mark.real_commits
def test_somebody_who_registers_meanwhile_is_written_over(
    app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account is taken after the import has looked, and before it writes."""
    with app.app_context():
        acme = tenant_id_of("acme")
        one = previewed(ANNA, acme, people(5))
        write = run.write_users

        def late(*args: Any) -> None:
            if not rows.count("users"):
                run_concurrently([lambda: enter_user(app, account="person2")])
            write(*args)

        monkeypatch.setattr(run, "write_users", late)
        with pytest.raises(UsersRefused) as refused:
            confirm_import(ANNA, acme, one)
    assert refused.value.about == "4"
    assert rows.count("users") == 1


def test_a_preview_lives_longer_than_said(acme: UUID, rows: Reader) -> None:
    previewed(ANNA, acme, people(1))
    ((expires_at,),) = rows("SELECT expires_at FROM people_imports")
    assert timedelta(0) <= now() + previews.PREVIEW_LIFETIME - expires_at < timedelta(1)

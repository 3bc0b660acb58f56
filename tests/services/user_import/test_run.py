"""Running imports: all rows or none, only once, by the operator who previewed the file."""

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
from app.services.user_import.run import Progress, confirm_import, import_progress
from app.services.user_import.validation import MOST_PASSWORDS
from tests.admin.console.browser import add_operator
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import GLOBEX_LIFE, Client, Person, Reader, enter_user, statements_sent
from tests.fixtures.user_files import csv_of, import_users, xlsx_of
from tests.services.login.test_concurrency import run_concurrently

ANNA = audit.Actor("operator", UUID(int=1), "192.0.2.1")
BERT = audit.Actor("operator", UUID(int=2), "192.0.2.2")
HEADER = ("account", "phone", "nickname")


@pytest.fixture
def acme(app: Flask) -> Iterator[UUID]:
    """Yield the id of the tenant acme, in an application context."""
    with app.app_context():
        yield tenant_id_of("acme")


@pytest.fixture
def globex(app: Flask) -> UUID:
    """Return the id of the tenant globex."""
    with app.app_context():
        return tenant_id_of("globex")


def file_of(count: int, *rows_after: tuple[str, ...], header: tuple[str, ...] = HEADER) -> UserFile:
    """Return an import file with `count` valid users, followed by `rows_after`."""
    rows = [(f"person{n}", str(13900000000 + n), f"第 {n} 人") for n in range(count)]
    return read_user_file(csv_of(header, *rows, *rows_after))


def problems_of(preview: Preview) -> list[tuple[int, str, str, int | None]]:
    """Return row number, column, reason code and conflicting row of each problem."""
    return [(one.row, one.column, one.code, one.earlier_row) for one in preview.bad]


def preview_valid(actor: audit.Actor, tenant_id: UUID, file: UserFile) -> UUID:
    """Preview a valid file and return the id of the import."""
    preview = preview_import(actor, tenant_id, file)
    assert preview.import_id is not None, preview.bad
    return preview.import_id


def stored_imports(rows: Reader) -> list[tuple[Any, ...]]:
    """Return state, progress and failure of each import, and whether its users are stored."""
    return rows(
        "SELECT state, rows_done, row_count, failure, people_sealed IS NOT NULL FROM people_imports"
        " ORDER BY id"
    )


def test_import_preview_lists_the_bad_rows_and_stores_no_import(
    app: Flask, acme: UUID, rows: Reader
) -> None:
    enter_user(app, account="bob")
    file = file_of(997, ("BOB", "13800000001", ""), ("carl", "12", ""), ("Person7", "", ""))

    preview = preview_import(ANNA, acme, file)

    assert (preview.rows, preview.good, preview.import_id) == (1000, 997, None)
    assert problems_of(preview) == [
        (999, "account", "account_taken", None),
        (1000, "phone", "phone_invalid", None),
        (1001, "account", "account_twice", 9),
    ]
    assert preview.columns == HEADER
    assert (rows.count("users"), rows.count("people_imports")) == (1, 0)


def test_confirmed_import_adds_the_previewed_users(
    acme: UUID, rows: Reader, client: Client, alice: Person
) -> None:
    header = ("账号", "手机号", "昵称", "密码")
    content = xlsx_of(
        header,
        [" Ａlice ", 13800138001, "爱丽丝", GOOD_PASSWORD],
        [None, "+1 202-555-0123", None, None],
        ["carol"],
    )
    progress: list[int] = []
    one = preview_valid(ANNA, acme, read_user_file(content))
    assert rows.count("users") == 0

    done = confirm_import(ANNA, acme, one, progress.append)

    assert (done.people, done.import_id, progress) == (3, one, [1, 2, 3])
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


def test_import_is_recorded_in_the_audit_log_with_operator_and_file_index(
    acme: UUID, rows: Reader
) -> None:
    one = preview_valid(ANNA, acme, file_of(3))
    ((index,),) = rows("SELECT file_index FROM people_imports")
    confirm_import(ANNA, acme, one)
    audited = "SELECT * FROM audit_events WHERE action LIKE 'users.%'"
    query = f"SELECT tenant_id, actor_kind, actor_id, ip, subject, details FROM ({audited}) AS a"
    details = {"people": "3", "file": bytes(index).hex()}
    assert rows(query) == [(acme, "operator", ANNA.id, ANNA.ip, str(one), details)]


def test_users_of_an_import_preview_are_stored_encrypted_and_deleted_after_the_import(
    acme: UUID, rows: Reader
) -> None:
    file = file_of(1, ("zoe", "13800138009", "Zoe"))
    one = preview_valid(ANNA, acme, file)
    ((row,),) = rows("SELECT p::text FROM people_imports p")
    for secret in ("13800138009", "zoe", "Zoe", file.digest):
        assert secret not in row
    assert stored_imports(rows) == [("previewed", 0, 2, None, True)]
    confirm_import(ANNA, acme, one)
    assert stored_imports(rows) == [("done", 2, 2, None, False)]


# Repetition


def test_import_cannot_be_confirmed_twice(acme: UUID, rows: Reader) -> None:
    one = preview_valid(ANNA, acme, file_of(3))
    confirm_import(ANNA, acme, one)
    with pytest.raises(ImportConfirmed):
        confirm_import(ANNA, acme, one)
    assert import_progress(ANNA, acme, one) == Progress("done", 3, 3, None)
    assert rows.count("users") == 3


def test_file_that_was_already_imported_is_refused_with_time_and_operator(
    app: Flask, acme: UUID, rows: Reader
) -> None:
    email = add_operator(app, "ann@acme.example")
    ((operator_id,),) = rows("SELECT id FROM operators WHERE email = :email", email=email)
    import_users(audit.Actor("operator", operator_id), acme, file_of(3))
    rows("UPDATE people_imports SET imported_at = '2026-01-02 03:04:05+00'")
    for act in (
        lambda: preview_import(BERT, acme, file_of(3)),
        lambda: check_users(acme, file_of(3)),
    ):
        with pytest.raises(UserFileImported) as refused:
            act()
        expected = {"imported_at": "2026-01-02T03:04:05+00:00", "imported_by": "ann@acme.example"}
        assert refused.value.errors == expected
        assert refused.value.en.format(**refused.value.values).startswith(
            "This file was already imported on 2026-01-02 03:04 UTC by ann@acme.example; "
        )
    with pytest.raises(UserFileImported):
        import_users(BERT, acme, file_of(3))
    assert preview_import(BERT, acme, file_of(4)).imported_at is None
    assert rows.count("users") == 3


def test_file_that_a_command_has_already_imported_is_refused_with_the_command(acme: UUID) -> None:
    import_users(audit.OPERATOR, acme, file_of(3))
    with pytest.raises(UserFileImported) as refused:
        preview_import(BERT, acme, file_of(3))
    assert refused.value.errors is not None
    assert refused.value.errors["imported_by"] is None
    assert " by flask users import; " in refused.value.en.format(**refused.value.values)


def test_file_can_be_imported_again_after_its_users_are_deleted(acme: UUID, rows: Reader) -> None:
    import_users(ANNA, acme, file_of(3))
    rows("DELETE FROM phones")
    rows("DELETE FROM users")
    again = preview_import(BERT, acme, file_of(3))
    assert again.imported_at is not None
    assert again.imported_by == str(ANNA.id)
    assert again.import_id is not None
    assert confirm_import(BERT, acme, again.import_id).people == 3


def test_import_preview_shows_the_first_ten_valid_rows_and_the_last_without_passwords(
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
        sample = check_users(acme, file_of(count)).sample
        assert [one.row for one in sample] == [*range(2, count + 2)]


def test_second_import_preview_of_an_operator_replaces_the_first(acme: UUID, rows: Reader) -> None:
    first, of_bert = preview_valid(ANNA, acme, file_of(3)), preview_valid(BERT, acme, file_of(3))
    second = preview_valid(ANNA, acme, file_of(4))
    with pytest.raises(ImportUnknown):
        confirm_import(ANNA, acme, first)
    assert import_progress(BERT, acme, of_bert).state == "previewed"
    assert confirm_import(ANNA, acme, second).people == 4


def test_import_previews_of_the_command_line_do_not_replace_each_other(acme: UUID) -> None:
    first = preview_valid(audit.OPERATOR, acme, file_of(3))
    preview_valid(audit.OPERATOR, acme, file_of(2))
    assert confirm_import(audit.OPERATOR, acme, first).people == 3


# Between preview and confirmation


def test_import_is_refused_if_rows_became_invalid_after_the_preview(
    app: Flask, acme: UUID, rows: Reader
) -> None:
    one = preview_valid(ANNA, acme, file_of(5))
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
    assert stored_imports(rows) == [("failed", 5, 5, "people_refused", False)]


def test_expired_import_preview_is_unknown(acme: UUID, rows: Reader) -> None:
    one = preview_valid(ANNA, acme, file_of(3))
    rows("UPDATE people_imports SET expires_at = now() - interval '1 second'")
    for act in (confirm_import, import_progress):
        with pytest.raises(ImportUnknown):
            act(ANNA, acme, one)
    preview_import(BERT, acme, file_of(2))
    assert rows.count("people_imports", f"id = '{one}'") == 0


def test_import_of_a_worker_that_died_is_reported_as_interrupted(acme: UUID, rows: Reader) -> None:
    one = preview_valid(ANNA, acme, file_of(3))
    rows("UPDATE people_imports SET state = 'running', rows_done = 2, expires_at = now()")
    interrupted = Progress("failed", 2, 3, "import_interrupted")
    assert import_progress(ANNA, acme, one) == interrupted
    with pytest.raises(ImportConfirmed):
        confirm_import(ANNA, acme, one)
    preview_import(BERT, acme, file_of(2))
    assert import_progress(ANNA, acme, one) == interrupted
    assert (rows.count("users"), rows.count("people_imports", "people_sealed IS NULL")) == (0, 1)


@pytest.mark.parametrize("error", [OperationalError("", {}, Exception()), KeyboardInterrupt()])
def test_import_that_fails_before_its_commit_adds_no_users(
    error: BaseException, acme: UUID, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    one = preview_valid(ANNA, acme, file_of(3))
    monkeypatch.setattr(run.audit, "record", fail)
    with pytest.raises(type(error)):
        confirm_import(ANNA, acme, one)
    assert (rows.count("users"), rows.count("phones")) == (0, 0)
    assert import_progress(ANNA, acme, one) == Progress("failed", 3, 3, "import_interrupted")


def test_import_that_expires_during_its_run_adds_no_users(acme: UUID, rows: Reader) -> None:
    one = preview_valid(ANNA, acme, file_of(3))

    def give_up(count: int) -> None:
        if count == 3:
            rows("UPDATE people_imports SET expires_at = now() - interval '1 second'")
            preview_import(BERT, acme, file_of(1))

    with pytest.raises(run.ImportInterrupted):
        confirm_import(ANNA, acme, one, give_up)
    assert rows.count("users") == 0


# Isolation


def test_imported_users_do_not_conflict_with_users_of_another_tenant(
    app: Flask, acme: UUID, rows: Reader
) -> None:
    enter_user(app, "globex", account="person0", phone="13900000001")
    assert import_users(ANNA, acme, file_of(3)).people == 3


def test_import_can_be_confirmed_and_watched_only_by_its_operator_in_its_tenant(
    acme: UUID, globex: UUID, rows: Reader
) -> None:
    one = preview_valid(ANNA, acme, file_of(3))
    others = [(ANNA, globex), (BERT, acme), (BERT, globex), (audit.OPERATOR, acme)]
    for actor, tenant_id in others:
        for act in (confirm_import, import_progress):
            with pytest.raises(ImportUnknown):
                act(actor, tenant_id, one)
    with pytest.raises(ImportUnknown):
        confirm_import(ANNA, acme, uuid4())
    assert (rows.count("users"), stored_imports(rows)) == (0, [("previewed", 0, 3, None, True)])
    confirm_import(ANNA, acme, one)
    assert rows("SELECT DISTINCT tenant_id FROM users") == [(acme,)]


def test_file_that_was_imported_in_one_tenant_can_be_imported_in_another_tenant(
    acme: UUID, globex: UUID, rows: Reader
) -> None:
    import_users(ANNA, acme, file_of(3))
    assert check_users(globex, file_of(3)).imported_at is None
    import_users(ANNA, globex, file_of(3))
    assert len(rows("SELECT DISTINCT file_index FROM people_imports")) == 2


def test_imported_user_is_not_found_by_a_login_in_another_tenant(
    acme: UUID, rows: Reader, client: Client, alice: Person
) -> None:
    import_users(ANNA, acme, read_user_file(b"account,phone\nalice,13800138001\n"))
    assert client.bind(alice, GLOBEX_LIFE)["user"]["account"] is None


# Cost


def test_number_of_sql_statements_of_an_import_does_not_depend_on_the_number_of_users(
    acme: UUID, globex: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "NOTED_EVERY", timedelta(hours=1))
    sent = {}
    for tenant_id, count in ((acme, 2), (globex, 1_000)):
        file = file_of(count)
        with statements_sent() as of_preview:
            one = preview_valid(ANNA, tenant_id, file)
        with statements_sent() as of_import:
            confirm_import(ANNA, tenant_id, one)
        sent[count] = (len(of_preview), len(of_import))
    assert sent[2] == sent[1_000] == (6, 9)


def test_number_of_passwords_per_import_file_is_limited(acme: UUID) -> None:
    header = ("account", "password")
    rows = [(f"a{number}", GOOD_PASSWORD) for number in range(MOST_PASSWORDS + 1)]
    assert check_users(acme, read_user_file(csv_of(header, *rows[:-1]))).bad == []
    with pytest.raises(ImportPasswordsTooMany):
        preview_import(ANNA, acme, read_user_file(csv_of(header, *rows)))


# Concurrency


@pytest.mark.real_commits
def test_one_of_two_concurrent_imports_of_the_same_users_succeeds(app: Flask, rows: Reader) -> None:
    with app.app_context():
        acme = tenant_id_of("acme")
        forwards, backwards = file_of(300), file_of(300)
        backwards = replace(backwards, people=backwards.people[::-1])
        files = ((ANNA, forwards), (BERT, backwards))
        imports = [(actor, preview_valid(actor, acme, file)) for actor, file in files]

    def confirm(actor: audit.Actor, one: UUID) -> str:
        with app.app_context():
            try:
                return f"{confirm_import(actor, acme, one).people}"
            except UsersRefused as refused:
                errors = refused.errors or {}
                return f"refused {len({bad['row'] for bad in errors['rows']})}"

    outcomes = run_concurrently([lambda one=one: confirm(*one) for one in imports])

    assert sorted(outcomes) == ["300", "refused 300"]
    assert (rows.count("users"), rows.count("phones")) == (300, 300)
    assert sorted(state for state, *_ in stored_imports(rows)) == ["done", "failed"]
    assert rows.count("audit_events", "action = 'users.imported'") == 1


@pytest.mark.real_commits
def test_one_of_ten_concurrent_confirmations_of_an_import_succeeds(
    app: Flask, rows: Reader
) -> None:
    with app.app_context():
        acme = tenant_id_of("acme")
        one = preview_valid(ANNA, acme, file_of(50))

    def confirm() -> str:
        with app.app_context():
            try:
                return f"{confirm_import(ANNA, acme, one).people}"
            except ImportConfirmed as refused:
                return refused.code

    assert sorted(run_concurrently([confirm] * 10)) == ["50", *["import_confirmed"] * 9]
    assert rows.count("users") == 50


@pytest.mark.real_commits
def test_progress_of_a_running_import_is_visible_to_other_requests(
    app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "NOTED_EVERY", timedelta(0))
    seen: list[tuple[Progress, int]] = []

    def watch(acme: UUID, one: UUID) -> Callable[[int], None]:
        def record_progress(count: int) -> None:
            if count in (1, 20):
                seen.extend(run_concurrently([lambda: progress_elsewhere(acme, one)]))

        return record_progress

    def progress_elsewhere(acme: UUID, one: UUID) -> tuple[Progress, int]:
        with app.app_context():
            return import_progress(ANNA, acme, one), rows.count("users")

    with app.app_context():
        acme = tenant_id_of("acme")
        one = preview_valid(ANNA, acme, file_of(30))
        confirm_import(ANNA, acme, one, watch(acme, one))
        done = import_progress(ANNA, acme, one)
    assert seen == [
        (Progress("running", 0, 30, None), 0),
        (Progress("running", 19, 30, None), 0),
    ]
    assert done == Progress("done", 30, 30, None)


@pytest.mark.real_commits
def test_import_is_refused_if_one_of_its_accounts_is_registered_during_the_run(
    app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account is registered after the import has checked it and before it is inserted."""
    with app.app_context():
        acme = tenant_id_of("acme")
        one = preview_valid(ANNA, acme, file_of(5))
        write = run.write_users

        def write_after_a_registration(*args: Any) -> None:
            if not rows.count("users"):
                run_concurrently([lambda: enter_user(app, account="person2")])
            write(*args)

        monkeypatch.setattr(run, "write_users", write_after_a_registration)
        with pytest.raises(UsersRefused) as refused:
            confirm_import(ANNA, acme, one)
    assert refused.value.about == "4"
    assert rows.count("users") == 1


def test_import_preview_expires_after_its_lifetime(acme: UUID, rows: Reader) -> None:
    preview_valid(ANNA, acme, file_of(1))
    ((expires_at,),) = rows("SELECT expires_at FROM people_imports")
    assert timedelta(0) <= now() + previews.PREVIEW_LIFETIME - expires_at < timedelta(1)

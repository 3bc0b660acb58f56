"""Import and export of users in the console."""

import csv
from collections.abc import Callable
from io import StringIO
from uuid import UUID

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.services.user_import import run
from tests.admin.console.browser import Browser, notes, signed_in
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import Reader, enter_user
from tests.fixtures.user_files import ImmediateThread, csv_of, xlsx_of
from tests.fixtures.waiting import until

MULTIPART = "multipart/form-data; boundary=x"
HEADER = ("account", "phone", "nickname")
GOOD = [HEADER, ("alice", "13800138001", "小花"), ("bob", "13800138002", "Bob")]


@pytest.fixture
def browser(app: Flask) -> Browser:
    """Return a browser in which an admin of acme is signed in."""
    return signed_in(app)


def upload(browser: Browser, content: bytes) -> TestResponse:
    """Upload a file as multipart form data, and return the preview page."""
    named = 'Content-Disposition: form-data; name="csrf_token"'
    token = f"--x\r\n{named}\r\n\r\n{browser.token()}\r\n"
    named = 'Content-Disposition: form-data; name="file"; filename="people.csv"'
    body = f"{token}--x\r\n{named}\r\n\r\n".encode() + content + b"\r\n--x--\r\n"
    return browser.open("/people/preview", "POST", data=body, content_type=MULTIPART)


def import_id_of(preview: TestResponse) -> str:
    """Return the import id in the confirmation form of a preview page."""
    return preview.text.split("/confirm")[0].rsplit("/", 1)[1]


@pytest.fixture
def synchronous_import(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run imports in the thread and the database transaction of the test."""

    monkeypatch.setattr(run, "Thread", ImmediateThread)


@pytest.mark.parametrize("make", [csv_of, xlsx_of])
def test_users_of_a_file_are_imported_only_after_the_preview_is_confirmed(
    browser: Browser, rows: Reader, synchronous_import: None, make: Callable[..., bytes]
) -> None:
    preview = upload(browser, make(*GOOD))
    assert "Import 2 users" in preview.text
    assert rows.count("users") == 0
    address = f"/people/{UUID(import_id_of(preview))}"
    assert "has not been confirmed" in browser.get(address).text
    confirmed = browser.post(f"{address}/confirm")
    assert confirmed.location == browser.address(address)
    page = browser.get(address)
    assert notes(page) == [("done", "2 users were imported.")]
    assert 'http-equiv="refresh"' not in page.text
    assert rows.count("users") == 2
    actor = "SELECT actor_kind, ip, details->>'people' FROM audit_events"
    assert rows(f"{actor} WHERE action = 'users.imported'") == [("operator", "192.0.2.1", "2")]
    again = browser.post(f"{address}/confirm")
    assert (again.status_code, "import_confirmed" in again.text) == (409, True)


def test_the_preview_page_lists_each_invalid_row_with_a_message(
    browser: Browser, rows: Reader, app: Flask
) -> None:
    enter_user(app, account="taken")
    bad = [*GOOD, ("taken", "no number", ""), ("", "", "Nobody"), ("carol", "13800138001", "C")]
    page = upload(browser, csv_of(*bad))
    for row, words in (
        (4, "A user already has this account."),
        (4, "This is not a valid phone number of its country or region."),
        (5, "This row has neither an account nor a phone number."),
        (6, "The phone number is already in row 2."),
    ):
        cells = [cell for cell in page.text.split("<tr>") if f'data-label="Row">{row}<' in cell]
        assert any(words in cell for cell in cells), (row, words)
    assert "/confirm" not in page.text
    assert notes(page)[0][1].startswith("No user was imported.")
    browser.headers["Accept-Language"] = "zh"
    assert "该手机号已出现在第 2 行。" in upload(browser, csv_of(*bad)).text
    assert (rows.count("users"), rows.count("people_imports")) == (1, 0)


def test_text_of_an_uploaded_file_is_escaped_on_the_preview_page(browser: Browser) -> None:
    evil = '<script>alert(1)</script>"><img src=x>'
    for header, status in ((("account", "nickname", evil), 200), (("name", evil), 422)):
        page = upload(browser, csv_of(header, ("a", evil)))
        assert page.status_code == status
        assert "<script>alert" not in page.text
        assert page.text.count("&lt;script&gt;") == (2 if status == 200 else 1)


def test_the_preview_page_shows_the_values_that_would_be_stored(browser: Browser) -> None:
    header = ("*账号", "手机号码", "昵称", "密码", "status", "备注")
    people = [(f"Person{n}", f"139{n:08}", "小花", GOOD_PASSWORD, "", "x") for n in range(2, 32)]
    page = upload(browser, csv_of(header, *people))
    assert notes(page) == [("", "Ignored columns: status, 备注.")]
    rows = [row for row in page.text.split("<tr>") if 'data-label="Password"' in row]
    assert len(rows) == 11
    assert "<bdi>person2</bdi>" in rows[0]
    assert "+8613900000002" in rows[0]
    assert "<bdi>person31</bdi>" in rows[-1]
    assert 'data-label="Password">Set<' in rows[-1]
    assert GOOD_PASSWORD not in page.text


def test_an_already_imported_file_is_rejected_with_time_and_operator(
    browser: Browser, rows: Reader, synchronous_import: None
) -> None:
    browser.post(f"/people/{import_id_of(upload(browser, csv_of(*GOOD)))}/confirm")
    rows("UPDATE people_imports SET imported_at = '2026-01-02 03:04:05+00'")
    page = upload(browser, csv_of(*GOOD))
    message = "This file was already imported on 2026-01-02 03:04 UTC by ann@acme.example; "
    assert page.status_code == 409
    assert notes(page) == [("error", f"{message}upload a file with other users.")]
    browser.headers["Accept-Language"] = "zh"
    message = "该文件已于 2026-01-02 03:04 UTC 由 ann@acme.example 导入，请上传包含其他用户的文件。"
    assert notes(upload(browser, csv_of(*GOOD))) == [("error", message)]
    rows("DELETE FROM phones")
    rows("DELETE FROM users")
    browser.headers["Accept-Language"] = "en"
    (note,) = notes(upload(browser, csv_of(*GOOD)))
    assert note[1] == (
        "This file was imported on 2026-01-02 11:04:05 (Asia/Shanghai) by ann@acme.example. "
        "Its users are no longer there."
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"account\n", "There are no rows below the first one."),
        (b"\x89PNG\r\n\x1a\n\0", "This file is not a spreadsheet; upload an .xlsx or CSV file."),
        ("帳號\n王小明".encode("cp950"), "This file is in Big5, which is not supported."),
        (b"\xd0\xcf\x11\xe0", "The file cannot be read."),
        (b"name\nx\n", "The first row must name each column once"),
        (b"account\n" + b"x" * (5 * 1024 * 1024), "The file is too large. The limits are 5 MB"),
    ],
)
def test_an_unreadable_or_empty_file_is_rejected_with_a_message(
    browser: Browser, content: bytes, message: str
) -> None:
    answer = upload(browser, content)
    assert answer.status_code in (413, 422)
    assert message in notes(answer)[0][1]


def test_a_file_below_five_megabytes_is_accepted_and_a_larger_file_rejected(
    browser: Browser,
) -> None:
    almost = b"account\n" + b"\n".join(b"account-%d" % n + b" " * 200 for n in range(19_000))
    assert 3_900_000 < len(almost) < 5 * 1024 * 1024
    assert "Import 19000 users" in upload(browser, almost).text
    huge = upload(browser, b"x" * 6_000_000)
    assert (huge.status_code, huge.mimetype) == (413, "text/html")


def test_the_upload_form_without_a_file_shows_a_message(browser: Browser) -> None:
    assert "Choose a file." in browser.post("/people/preview").text


def test_an_import_fails_if_an_account_was_taken_after_the_preview(
    app: Flask, browser: Browser, rows: Reader, synchronous_import: None
) -> None:
    address = f"/people/{import_id_of(upload(browser, csv_of(*GOOD)))}"
    enter_user(app, account="alice")
    browser.post(f"{address}/confirm")
    kind, words = notes(browser.get(address))[0]
    assert (kind, words[:21]) == ("error", "No user was imported.")
    assert rows.count("users") == 1


def test_an_import_of_another_operator_is_not_found_in_the_console(
    app: Flask, browser: Browser, rows: Reader
) -> None:
    address = f"/people/{import_id_of(upload(browser, csv_of(*GOOD)))}"
    others = [
        signed_in(app, "bea@acme.example"),
        signed_in(app, "g@globex.example", tenant="globex"),
    ]
    for other in others:
        assert other.get(address).status_code == 404
        assert other.post(f"{address}/confirm").status_code == 404
    assert rows("SELECT state FROM people_imports") == [("previewed",)]


def test_the_progress_page_reloads_itself_while_the_import_runs(
    browser: Browser, rows: Reader
) -> None:
    address = f"/people/{import_id_of(upload(browser, csv_of(*GOOD)))}"
    rows("UPDATE people_imports SET state = 'running', rows_done = 1")
    page = browser.get(address).text
    assert '<meta http-equiv="refresh" content="1">' in page
    assert '<progress id="progress" max="2" value="1">' in page


@pytest.mark.real_commits
def test_an_import_runs_in_the_background_after_the_response(app: Flask, rows: Reader) -> None:
    browser = signed_in(app)
    address = f"/people/{import_id_of(upload(browser, csv_of(*GOOD)))}"
    assert browser.post(f"{address}/confirm").status_code == 302
    until(lambda: 'http-equiv="refresh"' not in browser.get(address).text)
    assert rows.count("users") == 2


def test_an_import_fails_if_no_thread_can_start(
    browser: Browser, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FailingThread:
        def __init__(self, **_: object) -> None:
            raise RuntimeError

    monkeypatch.setattr(run, "Thread", FailingThread)
    address = f"/people/{import_id_of(upload(browser, csv_of(*GOOD)))}"
    assert browser.post(f"{address}/confirm").status_code == 500
    assert rows("SELECT state, failure FROM people_imports") == [("failed", "import_interrupted")]


@pytest.mark.parametrize(
    ("form", "phone"), [({}, "+86138****8001"), ({"full_phones": "y"}, "+8613800138001")]
)
def test_the_exported_csv_masks_phones_by_default_and_the_export_is_audited(
    app: Flask, browser: Browser, rows: Reader, form: dict[str, str], phone: str
) -> None:
    enter_user(app, account="alice", phone="13800138001")
    enter_user(app, "globex", account="globex-carol", phone="13800138003")
    answer = browser.post("/people/export", status="", **form)
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="acme-people.csv"'
    exported = list(csv.DictReader(StringIO(answer.data.decode("utf-8-sig"))))
    assert [(user["account"], user["phone"].lstrip("'")) for user in exported] == [("alice", phone)]
    details = "SELECT details->>'full_phones' FROM audit_events WHERE action = 'users.exported'"
    assert rows(details) == [(str(bool(form)),)]


def test_the_exported_csv_contains_only_users_that_match_the_filters(
    app: Flask, browser: Browser
) -> None:
    for account in ("alice", "bob"):
        enter_user(app, account=account)
    exported = browser.post("/people/export", query="al", status="active").data.decode("utf-8-sig")
    assert "alice" in exported
    assert "bob" not in exported
    assert browser.post("/people/export", status="nothing").mimetype == "text/html"
    assert browser.post("/people/export", query="a\0", status="").mimetype == "text/html"

"""Importing and exporting people in the console: seen before it is done, and all or nobody."""

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
from tests.fixtures.user_files import AtOnce, csv_of, xlsx_of
from tests.fixtures.waiting import until

MULTIPART = "multipart/form-data; boundary=x"
HEADER = ("account", "phone", "nickname")
GOOD = [HEADER, ("alice", "13800138001", "小花"), ("bob", "13800138002", "Bob")]


@pytest.fixture
def browser(app: Flask) -> Browser:
    """The browser of acme's admin."""
    return signed_in(app)


def upload(browser: Browser, content: bytes) -> TestResponse:
    """Choose a file and send it, as the browser spells it."""
    named = 'Content-Disposition: form-data; name="csrf_token"'
    token = f"--x\r\n{named}\r\n\r\n{browser.token()}\r\n"
    named = 'Content-Disposition: form-data; name="file"; filename="people.csv"'
    body = f"{token}--x\r\n{named}\r\n\r\n".encode() + content + b"\r\n--x--\r\n"
    return browser.open("/people/preview", "POST", data=body, content_type=MULTIPART)


def import_id_of(preview: TestResponse) -> str:
    """Read where the button of a preview leads."""
    return preview.text.split("/confirm")[0].rsplit("/", 1)[1]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run imports in the test's own thread, whose transaction is taken back."""

    monkeypatch.setattr(run, "Thread", AtOnce)


@pytest.mark.parametrize("make", [csv_of, xlsx_of])
def test_a_good_file_is_imported_after_the_confirmation_only(
    browser: Browser, rows: Reader, at_once: None, make: Callable[..., bytes]
) -> None:
    preview = upload(browser, make(*GOOD))
    assert "Import 2 users" in preview.text
    assert rows.count("users") == 0
    address = f"/people/{UUID(import_id_of(preview))}"
    assert "not confirmed yet" in browser.get(address).text
    confirmed = browser.post(f"{address}/confirm")
    assert confirmed.location == browser.address(address)
    page = browser.get(address)
    assert notes(page) == [("done", "Done: 2 users were imported.")]
    assert 'http-equiv="refresh"' not in page.text
    assert rows.count("users") == 2
    who = "SELECT actor_kind, ip, details->>'people' FROM audit_events"
    assert rows(f"{who} WHERE action = 'users.imported'") == [("operator", "192.0.2.1", "2")]
    again = browser.post(f"{address}/confirm")
    assert (again.status_code, "import_confirmed" in again.text) == (409, True)


def test_each_bad_row_is_named_in_words(browser: Browser, rows: Reader, app: Flask) -> None:
    enter_user(app, account="taken")
    bad = [*GOOD, ("taken", "no number", ""), ("", "", "Nobody"), ("carol", "13800138001", "C")]
    page = upload(browser, csv_of(*bad))
    for row, words in (
        (4, "A user has this account already."),
        (4, "This is not a valid phone number of its country or region."),
        (5, "There is neither an account nor a phone number in this row."),
        (6, "The phone number stands in row 2 already."),
    ):
        cells = [cell for cell in page.text.split("<tr>") if f'data-label="Row">{row}<' in cell]
        assert any(words in cell for cell in cells), (row, words)
    assert "/confirm" not in page.text
    assert notes(page)[0][1].startswith("Nobody was imported.")
    browser.headers["Accept-Language"] = "zh"
    assert "该手机号已出现在第 2 行。" in upload(browser, csv_of(*bad)).text
    assert (rows.count("users"), rows.count("people_imports")) == (1, 0)


def test_what_a_file_says_is_shown_as_text(browser: Browser) -> None:
    """Otherwise a file that somebody sends to the admin runs in the admin's page."""
    evil = '<script>alert(1)</script>"><img src=x>'
    for header, status in ((("account", "nickname", evil), 200), (("name", evil), 422)):
        page = upload(browser, csv_of(header, ("a", evil)))
        assert page.status_code == status
        assert "<script>alert" not in page.text
        assert page.text.count("&lt;script&gt;") == (2 if status == 200 else 1)


def test_a_preview_shows_rows_as_they_would_be_stored(browser: Browser) -> None:
    header = ("*账号", "手机号码", "昵称", "密码", "status", "备注")
    people = [(f"Person{n}", f"139{n:08}", "小花", GOOD_PASSWORD, "", "x") for n in range(2, 32)]
    page = upload(browser, csv_of(header, *people))
    assert notes(page) == [("", "Ignored columns: status, 备注.")]
    rows = [row for row in page.text.split("<tr>") if 'data-label="Password"' in row]
    assert len(rows) == 11
    assert "<bdi>person2</bdi>" in rows[0]
    assert "+8613900000002" in rows[0]
    assert "<bdi>person31</bdi>" in rows[-1]
    assert 'data-label="Password">set<' in rows[-1]
    assert GOOD_PASSWORD not in page.text


def test_a_file_that_was_imported_is_refused_in_one_sentence(
    browser: Browser, rows: Reader, at_once: None
) -> None:
    browser.post(f"/people/{import_id_of(upload(browser, csv_of(*GOOD)))}/confirm")
    rows("UPDATE people_imports SET imported_at = '2026-01-02 03:04:05+00'")
    page = upload(browser, csv_of(*GOOD))
    said = "This file was already imported on 2026-01-02 03:04 UTC by ann@acme.example; "
    assert page.status_code == 409
    assert notes(page) == [("error", f"{said}upload a file with other users.")]
    browser.headers["Accept-Language"] = "zh"
    said = "该文件已于 2026-01-02 03:04 UTC 由 ann@acme.example 导入，请上传包含其他用户的文件。"
    assert notes(upload(browser, csv_of(*GOOD))) == [("error", said)]
    rows("DELETE FROM phones")
    rows("DELETE FROM users")
    browser.headers["Accept-Language"] = "en"
    (note,) = notes(upload(browser, csv_of(*GOOD)))
    assert note[1] == (
        "This file was imported on 2026-01-02 03:04 UTC by ann@acme.example. "
        "Its users are no longer there."
    )


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"account\n", "There is nobody below the first row."),
        (b"\x89PNG\r\n\x1a\n\0", "This file is not a spreadsheet; upload an .xlsx or CSV file."),
        ("帳號\n王小明".encode("cp950"), "This file is in Big5, which is not supported."),
        (b"\xd0\xcf\x11\xe0", "This is no CSV or XLSX file that can be read."),
        (b"name\nx\n", "The first row must name each column once"),
        (b"account\n" + b"x" * (5 * 1024 * 1024), "A file may have 5 MB"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_words(
    browser: Browser, content: bytes, code: str
) -> None:
    answer = upload(browser, content)
    assert answer.status_code in (413, 422)
    assert code in notes(answer)[0][1]


def test_a_file_of_five_megabytes_is_taken_and_a_larger_one_is_a_page(browser: Browser) -> None:
    almost = b"account\n" + b"\n".join(b"account-%d" % n + b" " * 200 for n in range(19_000))
    assert 3_900_000 < len(almost) < 5 * 1024 * 1024
    assert "Import 19000 users" in upload(browser, almost).text
    huge = upload(browser, b"x" * 6_000_000)
    assert (huge.status_code, huge.mimetype) == (413, "text/html")


def test_no_file_is_chosen(browser: Browser) -> None:
    assert "Choose a file." in browser.post("/people/preview").text


def test_rows_that_became_bad_are_told_on_the_page_of_the_import(
    app: Flask, browser: Browser, rows: Reader, at_once: None
) -> None:
    address = f"/people/{import_id_of(upload(browser, csv_of(*GOOD)))}"
    enter_user(app, account="alice")
    browser.post(f"{address}/confirm")
    kind, words = notes(browser.get(address))[0]
    assert (kind, words[:20]) == ("error", "Nobody was imported.")
    assert rows.count("users") == 1


def test_somebody_elses_import_is_nobodys(app: Flask, browser: Browser, rows: Reader) -> None:
    address = f"/people/{import_id_of(upload(browser, csv_of(*GOOD)))}"
    others = [
        signed_in(app, "bea@acme.example"),
        signed_in(app, "g@globex.example", tenant="globex"),
    ]
    for other in others:
        assert other.get(address).status_code == 404
        assert other.post(f"{address}/confirm").status_code == 404
    assert rows("SELECT state FROM people_imports") == [("previewed",)]


def test_a_page_reloads_while_the_import_runs(browser: Browser, rows: Reader) -> None:
    address = f"/people/{import_id_of(upload(browser, csv_of(*GOOD)))}"
    rows("UPDATE people_imports SET state = 'running', rows_done = 1")
    page = browser.get(address).text
    assert '<meta http-equiv="refresh" content="1">' in page
    assert '<progress id="progress" max="2" value="1">' in page


@pytest.mark.real_commits
def test_an_import_goes_on_after_the_answer(app: Flask, rows: Reader) -> None:
    browser = signed_in(app)
    address = f"/people/{import_id_of(upload(browser, csv_of(*GOOD)))}"
    assert browser.post(f"{address}/confirm").status_code == 302
    until(lambda: "refresh" not in browser.get(address).text)
    assert rows.count("users") == 2


def test_no_thread_can_be_begun(
    browser: Browser, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    class None_:
        def __init__(self, **_: object) -> None:
            raise RuntimeError

    monkeypatch.setattr(run, "Thread", None_)
    address = f"/people/{import_id_of(upload(browser, csv_of(*GOOD)))}"
    assert browser.post(f"{address}/confirm").status_code == 500
    assert rows("SELECT state, failure FROM people_imports") == [("failed", "import_interrupted")]


@pytest.mark.parametrize(
    ("form", "phone"), [({}, "+86138****8001"), ({"full_phones": "y"}, "+8613800138001")]
)
def test_an_export_masks_phones_unless_asked_and_is_in_the_trail(
    app: Flask, browser: Browser, rows: Reader, form: dict[str, str], phone: str
) -> None:
    enter_user(app, account="alice", phone="13800138001")
    enter_user(app, "globex", account="globex-carol", phone="13800138003")
    answer = browser.post("/people/export", status="", **form)
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="acme-people.csv"'
    told = list(csv.DictReader(StringIO(answer.data.decode("utf-8-sig"))))
    assert [(one["account"], one["phone"].lstrip("'")) for one in told] == [("alice", phone)]
    details = "SELECT details->>'full_phones' FROM audit_events WHERE action = 'users.exported'"
    assert rows(details) == [(str(bool(form)),)]


def test_an_export_is_of_those_who_were_asked_for(app: Flask, browser: Browser) -> None:
    for account in ("alice", "bob"):
        enter_user(app, account=account)
    told = browser.post("/people/export", query="al", status="active").data.decode("utf-8-sig")
    assert "alice" in told
    assert "bob" not in told
    assert browser.post("/people/export", status="nothing").mimetype == "text/html"
    assert browser.post("/people/export", query="a\0", status="").mimetype == "text/html"

"""Import and export of users, and statistics, in the admin API."""

import csv
from datetime import timedelta
from io import StringIO

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.services.metrics import counts
from app.services.metrics.counts import today
from app.services.user_import import run
from app.services.user_import.files import LARGEST_FILE
from tests.fixtures.operators import Script, signed_in
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import Reader, enter_user, failure
from tests.fixtures.user_files import ImmediateThread, csv_of, xlsx_of

ACME = "/tenants/acme"
GOOD = [("account", "phone"), ("erin", "13800138005"), ("frank", "13800138006")]


@pytest.fixture
def ann(app: Flask) -> Script:
    """Return an API client that is signed in as an admin of acme."""
    return signed_in(app, "ann@acme.example", "tenant_admin", "acme")


def send(script: Script, content: bytes) -> TestResponse:
    """Upload a file of users and return the response with the preview."""
    return script("POST", f"{ACME}/imports", data=content, content_type="text/csv")


def test_the_preview_shows_the_values_that_would_be_stored(ann: Script) -> None:
    header = ("account", "mobile", "nickname", "password", "status", "remark")
    people = [(f"Person{n}", f"139{n:08}", "", GOOD_PASSWORD, "", "x") for n in range(2, 32)]
    people[1] = ("person3", "", "Carol", "", "", "")
    answer = send(ann, csv_of(header, *people))
    preview = answer.json
    assert [one["row"] for one in preview["sample"]] == [*range(2, 12), 31]
    assert preview["sample"][:2] == [
        {
            "row": 2,
            "account": "person2",
            "phone": "+8613900000002",
            "nickname": None,
            "password": "set",
        },
        {"row": 3, "account": "person3", "phone": None, "nickname": "Carol", "password": None},
    ]
    assert preview["ignored_columns"] == ["status", "remark"]
    assert (preview["skipped"], preview["imported_at"], preview["imported_by"]) == (0, None, None)
    assert GOOD_PASSWORD not in answer.text


def test_a_second_import_of_a_file_is_rejected_with_time_and_operator_of_the_first(
    ann: Script, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "Thread", ImmediateThread)
    path = f"{ACME}/imports/{send(ann, csv_of(*GOOD)).json['import_id']}"
    ann("POST", f"{path}/confirmation")
    rows("UPDATE people_imports SET imported_at = '2026-01-02 03:04:05+00'")
    refused = send(ann, csv_of(*GOOD))
    assert failure(refused) == (409, "people_file_imported")
    assert refused.json["detail"] == (
        "This file was already imported on 2026-01-02 03:04 UTC by ann@acme.example; "
        "upload a file with other users."
    )
    expected = {"imported_at": "2026-01-02T03:04:05+00:00", "imported_by": "ann@acme.example"}
    assert refused.json["errors"] == expected


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\x89PNG\r\n\x1a\n\0", "people_file_not_spreadsheet"),
        ("帳號,手機\nu1,王小明".encode("cp950"), "people_file_big5"),
        (b"nickname\nx", "people_columns_wrong"),
    ],
)
def test_each_cause_of_an_unreadable_file_has_its_own_error_code(
    ann: Script, content: bytes, code: str
) -> None:
    assert failure(send(ann, content)) == (422, code)


@pytest.mark.parametrize("make", [csv_of, xlsx_of])
def test_users_are_imported_only_after_the_import_is_confirmed(
    ann: Script, rows: Reader, monkeypatch: pytest.MonkeyPatch, make: type[bytes]
) -> None:
    monkeypatch.setattr(run, "Thread", ImmediateThread)
    preview = send(ann, make(*GOOD)).json
    assert (preview["rows"], preview["good"], preview["bad"]) == (2, 2, [])
    assert rows.count("users") == 0
    path = f"{ACME}/imports/{preview['import_id']}"
    assert ann("GET", path).json["state"] == "previewed"
    done = {"state": "done", "rows_done": 2, "rows": 2, "failure": None}
    assert ann("POST", f"{path}/confirmation").json == done
    assert ann("GET", path).json == done
    assert failure(ann("POST", f"{path}/confirmation")) == (409, "import_confirmed")
    assert rows.count("users") == 2


def test_the_preview_lists_each_invalid_row_with_column_code_and_advice(
    app: Flask, ann: Script
) -> None:
    enter_user(app, account="erin")
    preview = send(ann, csv_of(*GOOD, ("gina", "12"))).json
    assert preview["import_id"] is None
    bad = [(one["row"], one["column"], one["code"]) for one in preview["bad"]]
    assert bad == [(2, "account", "account_taken"), (4, "phone", "phone_invalid")]
    assert preview["bad"][0]["advice"] == "A user already has this account."


def test_tenant_admins_may_upload_files_up_to_the_limit_and_viewers_none(
    app: Flask, ann: Script
) -> None:
    large = csv_of(("account",), *((f"account-{number:050}",) for number in range(3000)))
    assert len(large) > 64 * 1024
    assert send(ann, large).json["good"] == 3000
    assert send(ann, b"x" * (LARGEST_FILE + 1)).status_code == 413
    assert failure(send(ann, b"")) == (422, "people_file_empty")
    reader = signed_in(app, "rita@acme.example", "tenant_reader", "acme")
    assert failure(send(reader, large)) == (403, "role_too_low")


def test_an_import_previewed_by_another_operator_is_not_found(
    app: Flask, ann: Script, rows: Reader
) -> None:
    path = f"{ACME}/imports/{send(ann, csv_of(*GOOD)).json['import_id']}"
    other = signed_in(app, "abe@acme.example", "tenant_admin", "acme")
    for method, where in (("GET", path), ("POST", f"{path}/confirmation")):
        assert failure(other(method, where)) == (404, "import_unknown")
    assert rows.count("users") == 0


def test_a_user_export_masks_phones_by_default_and_is_audited(
    app: Flask, ann: Script, rows: Reader
) -> None:
    enter_user(app, account="=erin", phone="13800138005")
    enter_user(app, account="frank", phone="13800138006")
    export = ann("POST", f"{ACME}/exports", json={"query": "=e"})
    assert export.mimetype == "text/csv"
    assert export.headers["Content-Disposition"] == 'attachment; filename="acme-people.csv"'
    _, *people = csv.reader(StringIO(export.data.decode("utf-8-sig")))
    assert [person[:2] for person in people] == [["'=erin", "'+86138****8005"]]
    full = ann("POST", f"{ACME}/exports", json={"full_phones": True})
    assert "13800138006" in full.text
    event = "SELECT details->>'people', details->>'full_phones' FROM audit_events"
    exported = rows(f"{event} WHERE action = 'users.exported' ORDER BY id")
    assert exported == [("1", "False"), ("2", "True")]


def test_the_overview_contains_statistics_per_day_and_per_mini_program(
    ann: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = counts.now()
    monkeypatch.setattr(
        counts, "now", lambda: moment
    )  # A test run across midnight would count on two days.
    answer = ann("GET", f"{ACME}/overview?days=7")
    assert answer.status_code == 200
    assert len(answer.json["days"]) == 7
    assert str(today() - timedelta(days=6)) in answer.json["days"]
    numbers = {"logins", "registered", "failed", "newcomers", "became_users", "known_logins"}
    assert numbers <= set(answer.json["whole"]["numbers"])
    assert [app["name"] for app in answer.json["apps"]] == sorted(
        app["name"] for app in answer.json["apps"]
    )
    assert failure(ann("GET", f"{ACME}/overview?days=0")) == (422, "request_invalid")

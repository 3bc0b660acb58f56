"""`users import` and `users export`, as operators type them."""

from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from app.services.people_files import LARGEST_FILE
from tests.cast import Reader, enter_user
from tests.people import csv_of, xlsx_of

HEADER = ("账号", "手机号", "昵称")
ALICE = ("alice", "13800138001", "小花 🌸")


def run(app: Flask, *arguments: str) -> Result:
    """Run a command; no traceback is ever shown."""
    result = app.test_cli_runner().invoke(args=["users", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result
    return result


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file of people is."""
    return tmp_path / "people"


@pytest.mark.parametrize("content", [csv_of(HEADER, ALICE), xlsx_of(HEADER, ALICE)])
def test_people_are_not_imported(app: Flask, rows: Reader, path: Path, content: bytes) -> None:
    path.write_bytes(content)

    dry = run(app, "import", str(path), "--tenant", "acme", "--dry-run")
    assert (dry.exit_code, dry.output) == (0, "1 people can be imported. 可导入 1 人。\n")
    assert (rows.count("users"), rows.count("people_imports")) == (0, 0)

    done = run(app, "import", str(path), "--tenant", "acme")
    assert (done.exit_code, done.output) == (0, "Imported 1 people. 已导入 1 人。\n")
    assert rows("SELECT account, nickname FROM users") == [("alice", "小花 🌸")]
    audited = "SELECT actor_kind, actor_id FROM audit_events WHERE action = 'users.imported'"
    assert rows(audited) == [("operator", None)]

    again = run(app, "import", str(path), "--tenant", "acme")
    assert again.exit_code == 1
    assert "This file was imported before, at 20" in again.output
    assert "2\taccount\taccount_taken\tA user has this account already. 该账号已有" in again.output
    assert rows.count("users") == 1


def test_a_bad_row_is_not_named_to_operators(app: Flask, rows: Reader, path: Path) -> None:
    path.write_bytes(csv_of(HEADER, ALICE, ("Alice", "1", ""), ("", "", "x")))
    for more in ([], ["--dry-run"]):
        result = run(app, "import", str(path), "--tenant", "acme", *more)
        assert result.exit_code == 1
        lines = [line.split("\t") for line in result.output.splitlines()]
        assert [line[:3] for line in lines[:3]] == [
            ["3", "account", "account_twice"],
            ["3", "phone", "phone_invalid"],
            ["4", "-", "nobody_named"],
        ]
        assert "row 2 already. 该账号已出现在第 2 行。" in lines[0][3]
        assert lines[3] == ["2 bad rows; nobody was imported. 有 2 行有误，未导入任何人。"]
        for secret in ALICE[1:]:
            assert secret not in result.output
    assert rows.count("users") == 0


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "people_file_empty"),
        (b"name\nx", "people_columns_wrong: name"),
        (b"PK\x03\x04", "people_file_unreadable"),
        (b"account\n" + b"a" * LARGEST_FILE, "people_file_too_large"),
    ],
)
def test_an_unusable_file_is_told_with_a_traceback(
    app: Flask, path: Path, content: bytes, code: str
) -> None:
    path.write_bytes(content)
    result = run(app, "import", str(path), "--tenant", "acme")
    assert (result.exit_code, f"Error: {code}: " in result.output) == (1, True)


def test_an_export_is_no_file_for_excel(app: Flask, rows: Reader) -> None:
    enter_user(app, account="alice", phone="13800138001")
    exported = run(app, "export", "--tenant", "acme")
    assert exported.exit_code == 0
    assert exported.stdout_bytes.startswith(b"\xef\xbb\xbfaccount,phone,nickname,")
    assert b"alice,'+86138****8001,,active," in exported.stdout_bytes
    full = run(app, "export", "--tenant", "acme", "--full-phones", "--query", "ali")
    assert b"alice,'+8613800138001,,active," in full.stdout_bytes
    none = run(app, "export", "--tenant", "acme", "--status", "disabled")
    assert none.stdout_bytes.count(b"\n") == 1
    assert rows.count("audit_events", "action = 'users.exported'") == 3
    assert run(app, "export", "--tenant", "nobody").exit_code == 1

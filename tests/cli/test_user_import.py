"""The commands `users import` and `users export`."""

from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from app.services.user_import.files import LARGEST_FILE
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import Reader, enter_user
from tests.fixtures.user_files import csv_of, xlsx_of

HEADER = ("账号", "手机号", "昵称")
ALICE = ("alice", "13800138001", "小花 🌸")


def run(app: Flask, *arguments: str) -> Result:
    """Run a `users` command. Fail if it raises any exception but SystemExit."""
    result = app.test_cli_runner().invoke(args=["users", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result
    return result


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of the import file, which does not exist yet."""
    return tmp_path / "people"


@pytest.mark.parametrize("content", [csv_of(HEADER, ALICE), xlsx_of(HEADER, ALICE)])
def test_users_import_imports_the_same_file_only_once(
    app: Flask, rows: Reader, path: Path, content: bytes
) -> None:
    path.write_bytes(content)

    dry = run(app, "import", str(path), "--tenant", "acme", "--dry-run")
    shown = ["row 行", "account 账号", "phone 手机号", "nickname 昵称", "password 密码"]
    lines = ["1 people can be imported. 可导入 1 人。", "\t".join(shown)]
    lines.append("2\talice\t+8613800138001\t小花 🌸\t-")
    assert (dry.exit_code, dry.output.splitlines()) == (0, lines)
    assert (rows.count("users"), rows.count("people_imports")) == (0, 0)

    done = run(app, "import", str(path), "--tenant", "acme")
    assert (done.exit_code, done.output) == (0, "Imported 1 people. 已导入 1 人。\n")
    assert rows("SELECT account, nickname FROM users") == [("alice", "小花 🌸")]
    audited = "SELECT actor_kind, actor_id FROM audit_events WHERE action = 'users.imported'"
    assert rows(audited) == [("operator", None)]

    again = run(app, "import", str(path), "--tenant", "acme")
    assert again.exit_code == 1
    (line,) = again.output.splitlines()
    assert line.startswith("Error: people_file_imported: This file was already imported on 20")
    assert "UTC by flask users import; upload" in line
    assert "由 flask users import 导入，请上传包含其他用户的文件。" in line
    assert rows.count("users") == 1


def test_users_import_lists_each_invalid_row_with_column_code_and_message(
    app: Flask, rows: Reader, path: Path
) -> None:
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
        assert "already in row 2. 该账号已出现在第 2 行。" in lines[0][3]
        assert lines[3] == ["2 invalid rows. No user was imported. 有 2 行有误，未导入任何人。"]
        for secret in ALICE[1:]:
            assert secret not in result.output
    assert rows.count("users") == 0


def test_users_import_dry_run_shows_the_rows_without_passwords(app: Flask, path: Path) -> None:
    header = ("*账号", "手机号码", "昵称", "密码", "备注")
    people = [(f"Person{n}", f"139{n:08}", "", GOOD_PASSWORD, "x") for n in range(2, 32)]
    path.write_bytes(csv_of(header, *people))
    lines = run(app, "import", str(path), "--tenant", "acme", "--dry-run").output.splitlines()
    assert lines[0] == "Ignored columns: 备注. 已忽略的列：备注。"
    assert lines[3] == "2\tperson2\t+8613900000002\t-\tset"
    assert [line.partition("\t")[0] for line in lines[3:]] == [*map(str, range(2, 12)), "31"]
    assert GOOD_PASSWORD not in "".join(lines)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\x89PNG\r\n\x1a\n", "people_file_not_spreadsheet"),
        ("帳號\n王小明".encode("cp950"), "people_file_big5"),
        (b"", "people_file_empty"),
        (b"name\nx", "people_columns_wrong: name"),
        (b"PK\x03\x04", "people_file_unreadable"),
        (b"account\n" + b"a" * LARGEST_FILE, "people_file_too_large"),
    ],
)
def test_users_import_reports_an_unreadable_file_without_a_traceback(
    app: Flask, path: Path, content: bytes, code: str
) -> None:
    path.write_bytes(content)
    result = run(app, "import", str(path), "--tenant", "acme")
    assert (result.exit_code, f"Error: {code}: " in result.output) == (1, True)


def test_users_export_writes_an_audited_csv_file_that_excel_reads_as_utf8(
    app: Flask, rows: Reader
) -> None:
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

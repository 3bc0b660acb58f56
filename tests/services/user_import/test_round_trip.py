"""An exported file can be imported into another tenant and gives the same users."""

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from uuid import UUID

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.services import audit
from app.services.apps.tenants import tenant_id_of
from app.services.user_import.columns import EXPORTED_COLUMNS
from app.services.user_import.escapes import escaped
from app.services.user_import.files import read_user_file
from app.services.user_import.preview import check_users
from app.services.user_import.user_export import Wanted, export_users
from app.services.users.users import add_user
from app.text_cleaning import account_name, clean_name
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import Reader, enter_user
from tests.fixtures.user_files import csv_of, import_users, xlsx_of

ANNA = audit.Actor("operator", UUID(int=1), "192.0.2.1")
SPECIAL_ACCOUNTS = (
    *("=cmd|' /c calc'!a0", "x;=cmd", "x,=cmd", "+1", "-1", "@sum(a1)", "'=1", "''", "o'neil"),
    *('"', '"quoted"', 'x;"=cmd"', '="007"', "110101199001011234", "001234", "1.10101e+17"),
    *("#n/a", "########", "true", "1.5", "2026-01-02", "小花🌸", "👨‍👩‍👧", "a\\b", "null"),
)
SPECIAL_NICKNAMES = (
    *("=1+1", "+1", "-1", "@SUM(A1)", "＝1", "'=1", "'' =1", "'", '"', '""', "x;=cmd", "x,+1,-2"),
    *("x; ＠cmd", 'x;"=cmd"', "小花, 🌸", "1.38E+10", "#N/A", "'#N/A", "  padded  ", "'  padded"),
    *('="007"', "👨‍👩‍👧", "138****8000", "TRUE", "001234", "\u3000wide\u3000", "a;b,c|d", "\\n"),
)


@pytest.fixture
def acme(app: Flask) -> Iterator[UUID]:
    """Yield the id of the tenant acme, in an application context."""
    with app.app_context():
        yield tenant_id_of("acme")


@pytest.fixture
def globex(app: Flask) -> UUID:
    """Return the id of the tenant globex, which has no users."""
    with app.app_context():
        return tenant_id_of("globex")


def export_of(tenant_id: UUID, *, full_phones: bool = True) -> bytes:
    """Export all users of a tenant and return the content of the CSV file."""
    return b"".join(export_users(ANNA, tenant_id, Wanted(full_phones=full_phones)))


def users_of(content: bytes) -> Sequence[tuple[str, ...]]:
    """Return account, phone number and nickname of each user in an exported file."""
    rows = csv.DictReader(StringIO(content.decode("utf-8-sig"), newline=""))
    return [(row["account"], row["phone"], row["nickname"]) for row in rows]


def test_names_with_special_characters_are_unchanged_after_export_and_import(
    acme: UUID, globex: UUID, rows: Reader
) -> None:
    for account in SPECIAL_ACCOUNTS:
        add_user("acme", account, None, None, account)
    for number, nickname in enumerate(SPECIAL_NICKNAMES):
        add_user("acme", None, None, f"+86138{number:08}", clean_name(nickname))
    add_user("acme", "both", GOOD_PASSWORD, "+12025550123", "Both")
    exported = export_of(acme)

    file = read_user_file(exported)
    assert file.ignored == ("status", "created_at", "last_login_at")
    assert import_users(ANNA, globex, file).people == len(users_of(exported))

    assert users_of(export_of(globex)) == users_of(exported)
    stored = "SELECT account, nickname FROM users WHERE tenant_id = :id ORDER BY id"
    assert rows(stored, id=globex) == rows(stored, id=acme)
    kept = rows("SELECT account FROM users WHERE tenant_id = :id", id=globex)
    assert {account for (account,) in kept} - {None} == {
        *map(account_name, SPECIAL_ACCOUNTS),
        "both",
    }


@pytest.mark.parametrize(
    ("stored", "imported"),
    [("two\nlines", "two lines"), ("two\r\n\tlines", "two lines"), ("x\n=cmd", "x =cmd")],
)
def test_line_breaks_in_nicknames_do_not_split_the_rows_of_an_export(
    stored: str, imported: str, acme: UUID, globex: UUID, rows: Reader
) -> None:
    for account in ("alice", "bob"):
        add_user("acme", account, None, None, "name")
    rows("UPDATE users SET nickname = :name WHERE account = 'alice'", name=stored)
    import_users(ANNA, globex, read_user_file(export_of(acme)))
    names = "SELECT account, nickname FROM users WHERE tenant_id = :id ORDER BY account"
    assert rows(names, id=globex) == [("alice", imported), ("bob", "name")]


@given(
    names=st.lists(
        st.tuples(
            st.text(st.sampled_from([*"ab=+-@;,\"' .E1#"]), min_size=1, max_size=12),
            st.text(st.sampled_from([*"小b=+-@＝;,\"' .E1#/N🌸"]), max_size=12),
        ),
        min_size=1,
        max_size=5,
        unique_by=lambda name: account_name(name[0]),
    )
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_names_are_unchanged_after_export_and_reading(
    names: list[tuple[str, str]], acme: UUID
) -> None:
    """The test reads the exported file without importing it."""
    wanted = [(account_name(account), nickname) for account, nickname in names]
    wanted = [(account, nickname) for account, nickname in wanted if account]
    text = StringIO()
    table = csv.writer(text)
    table.writerow(EXPORTED_COLUMNS)
    table.writerow(["filler"])
    table.writerows(
        [escaped(account), "", escaped(nickname), "active", "", ""] for account, nickname in wanted
    )
    read = read_user_file(text.getvalue().encode()).people[1:]
    assert [(row.account, row.nickname) for row in read] == wanted
    assert not [row.damaged for row in read if row.damaged]


def test_import_of_an_export_with_masked_phone_numbers_is_refused_with_advice(
    acme: UUID, globex: UUID, app: Flask
) -> None:
    enter_user(app, account="alice", phone="13800138001")
    enter_user(app, account="bob", phone="+12025550123")
    preview = check_users(globex, read_user_file(export_of(acme, full_phones=False)))
    assert [(one.row, one.column, one.code) for one in preview.bad] == [
        (2, "phone", "phone_masked"),
        (3, "phone", "phone_masked"),
    ]
    assert "Export the users again with full phone numbers" in preview.bad[0].sentences[0]


def test_exported_users_without_account_and_phone_number_are_skipped_by_the_import(
    acme: UUID, globex: UUID, rows: Reader
) -> None:
    """Such users log in with WeChat only, and an export does not contain identities."""
    add_user("acme", "alice", None, None, "Alice")
    for nickname in ("", "Only WeChat"):
        user_id = add_user("acme", "temporary", None, None, nickname)
        rows("UPDATE users SET account = NULL WHERE id = :id", id=user_id)
    file = read_user_file(export_of(acme))
    assert (len(file.people), file.skipped) == (1, 2)
    assert check_users(globex, file).skipped == 2
    assert import_users(ANNA, globex, file).people == 1


def test_row_without_account_and_phone_number_is_refused_in_a_file_that_is_no_export(
    acme: UUID,
) -> None:
    header = ("account", "phone", "nickname", "status")
    preview = check_users(acme, read_user_file(csv_of(header, ("", "", "Alice", "active"))))
    assert [one.code for one in preview.bad] == ["nobody_named"]


def test_export_saved_by_excel_as_xlsx_can_be_imported(acme: UUID, globex: UUID) -> None:
    add_user("acme", "x;=cmd", None, "13800138001", "=1+1")
    rows = csv.reader(StringIO(export_of(acme).decode("utf-8-sig"), newline=""))
    content = xlsx_of(*rows)
    import_users(ANNA, globex, read_user_file(content))
    assert users_of(export_of(globex)) == users_of(export_of(acme))


def test_export_contains_every_import_column_except_the_password() -> None:
    assert EXPORTED_COLUMNS[:3] == ("account", "phone", "nickname")

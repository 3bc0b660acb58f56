"""User export: audit event, columns, filters, and escaping of formulas."""

import csv
from collections.abc import Iterator
from io import StringIO
from uuid import UUID

import pytest
from flask import Flask

from app.services import audit
from app.services.apps.tenants import tenant_id_of
from app.services.user_import import user_export
from app.services.user_import.files import read_user_file
from app.services.user_import.user_export import Wanted, export_users
from tests.fixtures.personas import Client, Person, Reader, enter_user
from tests.fixtures.user_files import csv_of, import_users

ANNA = audit.Actor("operator", UUID(int=1), "192.0.2.1")
EXPORTED = "SELECT details FROM audit_events WHERE action = 'users.exported' ORDER BY id"


@pytest.fixture
def acme(app: Flask) -> Iterator[UUID]:
    """Yield the id of the tenant acme, in an application context."""
    with app.app_context():
        yield tenant_id_of("acme")


def exported(tenant_id: UUID, **wanted: str | bool) -> list[dict[str, str]]:
    """Export the users of a tenant and return the rows of the CSV file."""
    content = b"".join(export_users(ANNA, tenant_id, Wanted(**wanted)))  # type: ignore[arg-type]
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(StringIO(content.decode("utf-8-sig"), newline="")))


def accounts(tenant_id: UUID, **wanted: str | bool) -> list[str]:
    """Export the users of a tenant and return their accounts."""
    return [row["account"] for row in exported(tenant_id, **wanted)]


def test_user_export_masks_phone_numbers_by_default(
    acme: UUID, client: Client, alice: Person, rows: Reader
) -> None:
    client.bind(alice)
    changes = "account = 'alice', nickname = '小花, \"🌸\"', last_login_at = '2026-01-03 04:05:06'"
    rows(f"UPDATE users SET {changes}, created_at = '2026-01-02'")
    (row,) = exported(acme)
    assert row == {
        "account": "alice",
        "phone": "'+86138****8001",
        "nickname": '小花, "🌸"',
        "status": "active",
        "created_at": "2026-01-02T00:00:00+00:00",
        "last_login_at": "2026-01-03T04:05:06+00:00",
    }
    assert exported(acme, full_phones=True)[0]["phone"] == "'+8613800138001"


def test_user_export_is_recorded_in_the_audit_log_before_the_first_row_is_sent(
    acme: UUID, rows: Reader
) -> None:
    import_users(ANNA, acme, read_user_file(csv_of(["account"], ["a1"], ["a2"], ["b1"])))
    pieces = export_users(ANNA, acme, Wanted(query="A"))
    columns = "account,phone,nickname,status,created_at,last_login_at"
    expected = {"people": "2", "columns": columns, "filtered": "yes", "status": ""}
    expected["full_phones"] = "False"
    assert rows(EXPORTED) == [(expected,)]
    assert rows("SELECT actor_id, ip, tenant_id FROM audit_events WHERE action LIKE '%exported'")[
        0
    ] == (ANNA.id, ANNA.ip, acme)
    assert len(list(pieces)) == 2
    exported(acme, query="13800138001", status="active", full_phones=True)
    assert rows(EXPORTED)[1][0] == expected | {
        "people": "0",
        "status": "active",
        "full_phones": "True",
    }


def test_user_export_fails_if_it_cannot_be_recorded_in_the_audit_log(
    acme: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_export.audit, "record", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export_users(ANNA, acme, Wanted())


@pytest.mark.parametrize(
    ("nickname", "cell"),
    [
        *((text, f"'{text}") for text in ("=1+1", "+1", "-1", "@SUM(A1)", "＝1", "'=1")),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        ("x;=cmd", "x;'=cmd"),
        ("x,=cmd", "x,'=cmd"),
        ("x\t=cmd", "x\t'=cmd"),
    ],
)
def test_exported_nickname_is_escaped_so_that_it_is_no_formula(
    nickname: str, cell: str, acme: UUID, rows: Reader
) -> None:
    import_users(ANNA, acme, read_user_file(b"account\n" + b"mallory"))
    rows("UPDATE users SET nickname = :nickname", nickname=nickname)
    assert exported(acme)[0]["nickname"] == cell


def test_user_export_is_filtered_by_query_status_and_tenant(
    app: Flask, acme: UUID, rows: Reader
) -> None:
    enter_user(app, "globex", account="alice-of-globex")
    people = [("alice", "Lily"), ("albert", ""), ("al_ex", ""), ("carl", "alma"), ("dora", "100%")]
    import_users(ANNA, acme, read_user_file(csv_of(["account", "nickname"], *people)))
    rows("UPDATE users SET status = 'disabled' WHERE account = 'albert'")
    assert accounts(acme) == ["alice", "albert", "al_ex", "carl", "dora"]
    assert accounts(acme, query="Al") == ["alice", "albert", "al_ex"]
    assert accounts(acme, query="al") == ["alice", "albert", "al_ex", "carl"]
    assert accounts(acme, query="al_") == ["al_ex"]
    assert accounts(acme, query="%") == []
    assert accounts(acme, query="al", status="active") == ["alice", "al_ex", "carl"]
    assert accounts(acme, status="disabled") == ["albert"]


def test_user_export_omits_users_that_are_added_during_the_export(
    acme: UUID, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_export, "BATCH", 7)
    names = [[f"a{number}"] for number in range(50)]
    import_users(ANNA, acme, read_user_file(csv_of(["account"], *names)))
    pieces = export_users(ANNA, acme, Wanted())
    import_users(ANNA, acme, read_user_file(b"account\nlatecomer\n"))
    read = [piece.decode("utf-8-sig").splitlines() for piece in pieces]
    assert [len(lines) for lines in read] == [1, *[7] * 7, 1]
    taken = {line.partition(",")[0] for lines in read[1:] for line in lines}
    assert taken == {name for (name,) in names}
    assert rows(EXPORTED)[0][0]["people"] == "50"

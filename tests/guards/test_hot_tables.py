"""The tables of indexes and foreign keys in docs/performance.md."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from flask import Flask

from app.extensions import db
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import Client, Person, Reader, enter_user

ROOT = Path(__file__).parents[2]
TITLE = "## Indexes and foreign keys of the hot tables\n"
SECTION = (ROOT / "docs" / "performance.md").read_text().partition(TITLE)[2].partition("\n## ")[0]
HEADING = re.compile(r"^### (.*)$", re.MULTILINE)
ROW = re.compile(r"^\| `(\w+)` \| `([^|]+)` \| ([^|]+) \|$", re.MULTILINE)
# The name of a function, class or constant with the file that defines it.
DEFINED = re.compile(r"((?:`\w+`(?:, | and )?)+) \(`([\w/]+\.py)`\)")
NAME = re.compile(r"`(\w+)`")
TABLES = [name for heading in HEADING.findall(SECTION) for name in NAME.findall(heading)]
REASONS = ("Invariant: ", "Deletion of ", "Target")

CATALOG = """
SELECT index.relname, pg_get_indexdef(index.oid)
FROM pg_index JOIN pg_class AS index ON index.oid = indexrelid
WHERE indrelid = ANY (CAST(:tables AS regclass[]))
UNION ALL
SELECT conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE contype = 'f' AND conrelid = ANY (CAST(:tables AS regclass[]))
"""
# Each login, or each use of a session, changes these columns.
CHANGED_OFTEN = {
    "users": ["last_login_at", "last_login_ip"],
    "social_accounts": ["last_login_at"],
    "session_keys": ["asked_at"],
    "login_sessions": ["seen_at", "expires_at"],
}


class Documented(NamedTuple):
    """A row of a table in the section."""

    name: str
    columns: str
    needed_by: str


ROWS = [Documented(*row) for row in ROW.findall(SECTION)]


def columns_of(definition: str) -> str:
    """Return the columns and the condition, or the referenced table, in a definition.

    Without parentheses and casts, which PostgreSQL adds.
    """
    columns = re.sub(r"^(CREATE .* USING btree|FOREIGN KEY) ", "", definition)
    columns = re.sub(r"REFERENCES (\w+).*", r"REFERENCES \1", columns)
    return re.sub(r"::text|[()]", "", columns)


def test_the_tables_list_exactly_the_indexes_and_foreign_keys_of_the_database(
    rows: Reader,
) -> None:
    """A new index or foreign key of a hot table needs a row with the reason for it."""
    found = {name: columns_of(definition) for name, definition in rows(CATALOG, tables=TABLES)}
    documented = {row.name: columns_of(row.columns) for row in ROWS}
    assert sorted(documented) == sorted(found)
    assert documented == found
    assert len(ROWS) == len(documented)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_index_and_foreign_key_names_an_invariant_or_an_existing_function(
    row: Documented,
) -> None:
    defined = DEFINED.findall(row.needed_by)
    assert defined or any(reason in row.needed_by for reason in REASONS)
    for names, file in defined:
        text = (ROOT / "app" / file).read_text()
        for name in NAME.findall(names):
            pattern = rf"^(?:    )?def {name}\(|^{name} = |^{name} AS \(|\b{name} = "
            assert re.search(pattern, text, re.MULTILINE), f"{name} in {file}"


def test_the_section_contains_every_table_that_logins_and_sessions_use(
    app: Flask, client: Client, alice: Person, statements: list[str]
) -> None:
    """Login, verification, refresh, phone binding, logout, and login by account and password."""
    enter_user(app, account="alice", password=GOOD_PASSWORD)
    statements.clear()
    bound = client.post("phone", client.log_in(alice)["token"], **alice.tap_phone_old()).json
    client.post("phone", client.log_in(alice)["token"], **alice.tap_phone_new())
    assert client.me(bound["token"]).status_code == 200
    fresh = client.post("refresh", refresh_token=bound["refresh_token"]).json
    assert client.post("logout", fresh["token"]).status_code == 204
    opened = client.post("password-login", account="alice", password=GOOD_PASSWORD)
    assert opened.status_code == 200
    sent = "\n".join(statements)
    used = {name for name in db.metadata.tables if re.search(rf"\b{name}\b", sent)}
    assert {"login_sessions", "phones", "password_tries", "code_exchanges"} < used
    assert used - set(TABLES) == set()


@pytest.mark.parametrize("table", CHANGED_OFTEN)
def test_columns_that_each_login_changes_are_not_indexed(table: str, rows: Reader) -> None:
    """PostgreSQL then writes no index entries for the change (HOT updates)."""
    definitions = [definition for _, definition in rows(CATALOG, tables=[table])]
    for column in CHANGED_OFTEN[table]:
        assert [one for one in definitions if re.search(rf"\b{column}\b", one)] == []

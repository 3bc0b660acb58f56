"""Normalisation of stored accounts: the migration, the command, and collisions."""

import json
import threading
from collections.abc import Iterator
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from click.testing import Result
from flask import Flask
from sqlalchemy import select

from app import logs
from app.extensions import db
from app.models import PasswordTry, User
from app.services.database.transactions import transaction
from app.services.passwords.login_throttling import account_key
from app.services.users import account_normalisation
from app.services.users.account_normalisation import normalise_accounts
from app.settings import MIGRATIONS
from tests.fixtures.personas import Client, Reader, enter_user
from tests.fixtures.waiting import until_waiting_for_a_lock
from tests.test_logs import Captured, log_into

PASSWORD = "correct-horse-battery"


@pytest.fixture
def logged(app: Flask) -> Iterator[Captured]:
    """Capture the log in production format."""
    stream = StringIO()
    log_into(stream, as_json=True)
    yield Captured(stream)
    logs.configure(as_json=False)


def store(app: Flask, rows: Reader, *accounts: str, tenant: str = "acme") -> list[str]:
    """Store accounts unnormalised, as earlier releases did, oldest first. Return the users' ids."""
    ids = [enter_user(app, tenant, f"before{n}", PASSWORD) for n in range(len(accounts))]
    for user_id, account in zip(ids, accounts, strict=True):
        rows("UPDATE users SET account = :account WHERE id = :id", account=account, id=user_id)
    return ids


def accounts(rows: Reader) -> dict[str, str]:
    """Return the account of each user by user id."""
    return {str(user_id): account for user_id, account in rows("SELECT id, account FROM users")}


def run_migration(app: Flask, direction: str) -> None:
    """Run the upgrade or downgrade of migration 0015 on the stored rows."""
    revision = ScriptDirectory(MIGRATIONS).get_revision("0015")
    assert revision is not None
    with app.app_context(), transaction() as session:
        context = MigrationContext.configure(session.connection())
        with Operations.context(context):
            getattr(revision.module, direction)()


def users_command(app: Flask, *arguments: str) -> Result:
    """Run a command of the `users` group."""
    return app.test_cli_runner().invoke(args=["users", *arguments])


STORED = {
    "\u202a13600000018\u202c": "13600000018",
    "wang\u200bwu": "wangwu",
    "\ufeffanna\u00ad": "anna",
    "j\u030c": "\u01f0",
    "milton": "milton",
    "王五": "王五",
}


def test_migration_0015_normalises_stored_accounts_per_tenant(
    app: Flask, client: Client, rows: Reader, logged: Captured
) -> None:
    acme = store(app, rows, *STORED)
    globex = store(app, rows, *STORED, tenant="globex")
    run_migration(app, "upgrade")
    expected = dict(zip(acme, STORED.values(), strict=True))
    assert accounts(rows) == expected | dict(zip(globex, STORED.values(), strict=True))
    summary = logged.lines[-1]
    assert (summary["event"], summary["renamed"], summary["collisions"]) == (
        *("accounts_normalised", 8, 0),
    )
    assert not [account for account in STORED if json.dumps(account).strip('"') in logged.text]
    login = client.post("password-login", account="\u202a13600000018\u202c", password=PASSWORD)
    assert login.json["user"]["id"] == acme[0]


def test_account_whose_normalised_form_is_taken_is_kept_and_logged_by_user_id(
    app: Flask, client: Client, rows: Reader, logged: Captured
) -> None:
    plain, hidden = store(app, rows, "wangwu", "wang\u200bwu")
    run_migration(app, "upgrade")
    assert accounts(rows) == {plain: "wangwu", hidden: "wang\u200bwu"}
    (collision,) = [line for line in logged.lines if line["event"] == "account_collides"]
    assert (collision["level"], collision["user_id"], collision["holder_id"]) == (
        *("warning", hidden, plain),
    )
    assert "wang" not in logged.text
    login = client.post("password-login", account="wang\u200bwu", password=PASSWORD)
    assert login.json["user"]["id"] == plain, "never the user with the hidden account"


def test_older_of_two_users_with_colliding_accounts_gets_the_normalised_account(
    app: Flask, rows: Reader
) -> None:
    older, younger = store(app, rows, "wang\u200dwu", "wang\u200bwu")
    run_migration(app, "upgrade")
    assert accounts(rows) == {older: "wangwu", younger: "wang\u200bwu"}


def test_account_without_visible_characters_is_kept_and_listed(app: Flask, rows: Reader) -> None:
    (user_id,) = store(app, rows, "\u200b\u3164")
    listed = users_command(app, "normalise-accounts")
    assert listed.exit_code == 1
    assert f"\t{user_id}\t\\u200b\\u3164\t-\n" in listed.output
    assert accounts(rows) == {user_id: "\u200b\u3164"}


def test_migration_0015_is_idempotent_and_its_downgrade_changes_no_accounts(
    app: Flask, rows: Reader
) -> None:
    store(app, rows, *STORED)
    store(app, rows, "wangwu", "wang\u200bwu", tenant="globex")
    run_migration(app, "upgrade")
    first = accounts(rows)
    for direction in ("upgrade", "downgrade", "upgrade"):
        run_migration(app, direction)
        assert accounts(rows) == first


def test_accounts_of_a_large_tenant_are_rewritten_in_batches(
    app: Flask, rows: Reader, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every fifth of 2,500 accounts has an invisible character. A batch has 20 accounts."""
    monkeypatch.setattr(account_normalisation, "BATCH", 20)
    rows(
        "INSERT INTO users (id, tenant_id, account)"
        " SELECT gen_random_uuid(), id, 'u' || n || CASE WHEN n % 5 = 0 THEN U&'\\200B' ELSE '' END"
        " FROM tenants, generate_series(1, 2500) AS n WHERE slug = 'acme'"
    )
    rows("INSERT INTO users (id, tenant_id) SELECT gen_random_uuid(), id FROM tenants")
    statements.clear()
    run_migration(app, "upgrade")
    reads = [one for one in statements if one.startswith("SELECT id, account")]
    assert 125 <= len(reads) <= 160
    assert rows.count("users", r"account ~ U&'\200B'") == 0
    assert rows.count("users", "account ~ '^u[0-9]+$'") == 2500
    assert rows.count("users", "account IS NULL") == 2


@pytest.mark.real_commits
def test_account_taken_by_a_concurrent_transaction_is_reported_as_a_collision(
    app: Flask, rows: Reader
) -> None:
    """The batch waits for the other transaction, and leaves out only the account that was taken."""
    hidden, other = store(app, rows, "wang\u200bwu", "anna\u200b")
    done: list[Any] = []

    def normalise() -> None:
        with app.app_context():
            done.append(normalise_accounts("acme"))

    with app.app_context(), db.engine.connect() as connection:
        connection.exec_driver_sql(
            "INSERT INTO users (id, tenant_id, account)"
            " SELECT gen_random_uuid(), id, 'wangwu' FROM tenants WHERE slug = 'acme'"
        )
        thread = threading.Thread(target=normalise)
        thread.start()
        until_waiting_for_a_lock(rows)
        connection.commit()
        thread.join(10)
    (result,) = done
    assert result.renamed == 1
    assert [str(one.spelling.user_id) for one in result.collisions] == [hidden]
    assert accounts(rows)[other] == "anna"
    assert accounts(rows)[hidden] == "wang\u200bwu"


def test_normalise_accounts_command_lists_collisions_until_an_operator_fixes_them(
    app: Flask, client: Client, rows: Reader
) -> None:
    plain, hidden, other = store(app, rows, "wangwu", "wang\u200bwu", "anna\u200b")
    tenant = str(rows("SELECT id FROM tenants WHERE slug = 'acme'")[0][0])
    for renamed in (1, 0):
        listed = users_command(app, "normalise-accounts", "--tenant", "acme")
        assert listed.exit_code == 1
        assert f"{tenant}\t{hidden}\twang\\u200bwu\t{plain}\n" in listed.output
        assert f"{renamed} accounts rewritten, 1 left as they are." in listed.output
    assert accounts(rows)[other] == "anna"
    changed = users_command(app, "set-account", hidden, "\u202aWang5\u202c", "--tenant", "acme")
    assert changed.exit_code == 0, changed.output
    assert accounts(rows)[hidden] == "wang5"
    assert users_command(app, "normalise-accounts").exit_code == 0
    login = client.post("password-login", account="wang5", password=PASSWORD)
    assert login.json["user"]["id"] == hidden
    details = "SELECT subject, details::text FROM audit_events WHERE action = :action"
    assert rows(details, action="user.account_changed") == [(hidden, "{}")]


def test_normalise_accounts_command_changes_only_the_given_tenant(app: Flask, rows: Reader) -> None:
    (globex,) = store(app, rows, "anna\u200b", tenant="globex")
    assert users_command(app, "normalise-accounts", "--tenant", "acme").exit_code == 0
    assert accounts(rows) == {globex: "anna\u200b"}
    assert "tenant_unknown" in users_command(app, "normalise-accounts", "--tenant", "nobody").output


@pytest.mark.parametrize(
    ("account", "tenant", "code"),
    [
        ("WANG\u200bWU", "acme", "account_exists"),
        ("anna", "globex", "user_unknown"),
        ("anna", "nobody", "tenant_unknown"),
        ("\u200b", "acme", ""),
        ("x" * 65, "acme", ""),
    ],
)
def test_set_account_command_refuses_a_taken_or_invalid_account(
    app: Flask, rows: Reader, account: str, tenant: str, code: str
) -> None:
    _, user_id = store(app, rows, "wangwu", "milton")
    before = accounts(rows)
    refused = users_command(app, "set-account", user_id, account, "--tenant", tenant)
    assert refused.exit_code == (1 if code else 2)
    assert code in refused.output
    assert accounts(rows) == before
    assert rows.count("audit_events", "action = 'user.account_changed'") == 0


def test_set_account_command_adds_an_account_to_a_user_without_one(
    app: Flask, rows: Reader
) -> None:
    user_id = enter_user(app, phone="13800138001")
    assert users_command(app, "set-account", user_id, "Milton", "--tenant", "acme").exit_code == 0
    assert accounts(rows) == {str(UUID(user_id)): "milton"}


def test_login_attempts_for_the_former_account_are_deleted_when_it_changes(
    app: Flask, client: Client, rows: Reader
) -> None:
    """Erasure finds attempts by the user's current account only."""
    hidden, other = store(app, rows, "wangwu", "anna")
    for account in ("wangwu", "anna"):
        assert client.post("password-login", account=account, password=PASSWORD).status_code == 200
        assert client.post("password-login", account=account, password="wrong").status_code == 401
    kept = "SELECT count(*) FROM password_tries WHERE account_key IS NOT NULL"
    assert rows(kept) == [(6,)]
    assert users_command(app, "set-account", hidden, "wang5", "--tenant", "acme").exit_code == 0
    assert rows(kept) == [(3,)]
    rows("UPDATE users SET account = :new WHERE id = :id", new="anna\u200b", id=other)
    with app.app_context(), transaction() as session:
        tenant_id = session.scalars(select(User.tenant_id).limit(1)).one()
        old = session.execute(select(PasswordTry).where(PasswordTry.account_key.is_not(None)))
        for (one,) in old:
            one.account_key = account_key(tenant_id, "anna\u200b")
    run_migration(app, "upgrade")
    assert rows(kept) == [(0,)]

"""The database schema: migrations, constraints, and references between tenants."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import ForeignKeyConstraint
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.extensions import db
from app.settings import MIGRATIONS
from migrations.online.locks import BEHIND_GATE, GATE, LOCK_ORDER
from tests.fixtures.migration_rules import violations
from tests.fixtures.personas import ACME_SHOP, Reader, enter_user

VERSIONS = sorted(Path(MIGRATIONS, "versions").glob("*.py"))
SAMPLE = """
revision = "0022"
down_revision = "0021"
{compatibility}

def upgrade():
    {upgrade}

def downgrade():
    pass
"""
COMPATIBLE = 'compatible_since = "0021"'
# A statement of `upgrade`, and the beginning of the message that rejects it.
REJECTED = {
    'op.create_index("i", "users", ["id"])': "op.create_index blocks requests",
    'op.drop_index("i", "users")': "op.drop_index blocks requests",
    'op.create_check_constraint("c", "users", "true")': "op.create_check_constraint blocks",
    'op.create_foreign_key("f", "users", "merges", ["id"], ["id"])': "op.create_foreign_key blocks",
    'op.create_unique_constraint("u", "users", ["id"])': "op.create_unique_constraint blocks",
    'op.add_column("users", sa.Column("c"))': "op.add_column changes an existing table",
    'op.drop_column("users", "c"); lock_tables("users")': "op.drop_column changes an existing",
    'lock_tables("users"); commit(); op.drop_table("users")': "op.drop_table changes an existing",
    'op.create_table("t", sa.ForeignKeyConstraint(["a"], ["users.id"]))': "a foreign key changes",
    'add_check("c", "users", "true")': "add_check changes an existing table",
    'lock_tables("users"); op.alter_column("users", "c", nullable=False)': "SET NOT NULL reads",
    'op.execute("UPDATE users SET level = 1")': "UPDATE blocks requests: use update_in_batches",
    'op.get_bind().execute(sa.text("DELETE FROM users"))': "DELETE blocks requests: use delete_in",
    'op.execute("CREATE INDEX i ON users (id)")': "CREATE INDEX blocks requests: use create_index",
    'op.execute("DROP INDEX i")': "DROP INDEX blocks requests: use drop_index",
    'op.execute("LOCK TABLE users")': "LOCK blocks requests: use lock_tables",
    'op.execute("ALTER TABLE users ADD CONSTRAINT c CHECK (true)")': "constraints: use the",
    'op.execute("ALTER TABLE users SET (fillfactor = 50)")': "ALTER TABLE USERS SE changes",
    'op.execute("CREATE TRIGGER t AFTER UPDATE ON users")': "CREATE TRIGGER T AFT changes an",
    'op.execute("DROP FUNCTION f() CASCADE")': "DROP FUNCTION F() CA changes an existing table",
    "op.execute(statement)": "the statement must be a constant",
    'lock_tables("users"); op.add_column("users", c); commit()': "commit commits, but op.add",
    'op.execute("CREATE FUNCTION f() ..."); drop_index("i")': "drop_index commits, but CREATE",
}
ACCEPTED = (
    'lock_tables("users"); op.add_column("users", sa.Column("c")); add_check("c", "users", "true")',
    'op.create_table("t"); op.create_index("i", "t", ["id"])',
    'lock_tables("users"); op.add_column("users", c, if_not_exists=True); drop_index("i")',
    'op.execute("CREATE OR REPLACE FUNCTION f()"); update_in_batches("users", "level = 1", "true")',
    'lock_tables("users", only_writes=True); op.execute("CREATE TRIGGER t AFTER UPDATE ON users")',
)


def test_migrations_have_exactly_one_head() -> None:
    assert len(ScriptDirectory(MIGRATIONS).get_heads()) == 1


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.stem[:4])
def test_every_migration_follows_the_rules_for_migrations_under_load(path: Path) -> None:
    assert violations(path.read_text(), [one.name[:4] for one in VERSIONS]) == []


@pytest.mark.parametrize("upgrade", REJECTED)
def test_a_migration_that_breaks_a_rule_is_rejected_with_an_explanation(upgrade: str) -> None:
    source = SAMPLE.format(compatibility=COMPATIBLE, upgrade=upgrade)
    (message,) = violations(source, ["0021", "0022"])
    assert message.startswith(f"line 7: {REJECTED[upgrade]}")


@pytest.mark.parametrize("upgrade", ACCEPTED)
def test_a_migration_that_follows_the_rules_is_accepted(upgrade: str) -> None:
    source = SAMPLE.format(compatibility=COMPATIBLE, upgrade=upgrade)
    assert violations(source, ["0021", "0022"]) == []


@pytest.mark.parametrize(
    ("compatibility", "message"),
    [
        ("", "compatible_since is missing"),
        ('compatible_since = "0020"', "compatible_since: '0020' is not a revision from 0021 on"),
        ('compatible_since = "21"', "compatible_since: '21' is not a revision from 0021 on"),
        ('compatible_since = "0023"', "compatible_since is later than the revision"),
    ],
)
def test_a_migration_with_a_wrong_compatible_since_is_rejected(
    compatibility: str, message: str
) -> None:
    source = SAMPLE.format(compatibility=compatibility, upgrade="pass")
    (found,) = violations(source, ["0020", "0021", "0022", "0023"])
    assert found.startswith(message)


def test_compatible_since_never_decreases() -> None:
    """The database stores the last value. A release that an earlier revision excludes stays out."""
    revisions = ScriptDirectory(MIGRATIONS).walk_revisions("base", "heads")
    values = [getattr(one.module, "compatible_since", "") for one in revisions]
    assert values == sorted(values, reverse=True)


def test_the_lock_order_contains_every_table_once(app: Flask) -> None:
    assert sorted(LOCK_ORDER) == sorted(db.metadata.tables)
    assert {GATE, *BEHIND_GATE} <= {*LOCK_ORDER}


def test_the_migrated_schema_equals_the_models(app: Flask) -> None:
    with app.app_context():
        context = MigrationContext.configure(db.session.connection())
        assert compare_metadata(context, db.metadata) == []


def test_every_constraint_has_a_name_and_foreign_keys_contain_their_column_names(
    app: Flask,
) -> None:
    for table in db.metadata.sorted_tables:
        for constraint in table.constraints:
            assert constraint.name, table.name
            if isinstance(constraint, ForeignKeyConstraint):
                assert all(name in str(constraint.name) for name in constraint.column_keys)


def test_foreign_keys_between_tenant_tables_begin_with_tenant_id(app: Flask) -> None:
    of_tenants = {t.name for t in db.metadata.sorted_tables if "tenant_id" in t.columns}
    for table in db.metadata.sorted_tables:
        for key in table.foreign_key_constraints:
            if table.name in of_tenants and key.referred_table.name in of_tenants:
                assert key.column_keys[0] == "tenant_id", key.name


@pytest.mark.parametrize(
    "change", ["UPDATE audit_events SET action = ''", "DELETE FROM audit_events"]
)
def test_postgresql_rejects_updates_and_deletions_in_the_audit_log(
    rows: Reader, change: str
) -> None:
    assert rows.count("audit_events") > 0
    with pytest.raises(DBAPIError, match="audit_events is append only"):
        rows(change)


def test_postgresql_rejects_a_social_account_with_a_user_of_another_tenant(
    app: Flask, rows: Reader
) -> None:
    user_id = enter_user(app, "globex", phone="+8613800138003")
    with pytest.raises(IntegrityError, match="fk_social_accounts_tenant_id_user_id_users"):
        rows(
            "INSERT INTO social_accounts"
            " (id, tenant_id, appid, openid, user_id, last_login_at)"
            " SELECT gen_random_uuid(), tenant_id, appid, 'o', :user_id, now()"
            " FROM wechat_apps WHERE appid = :appid",
            user_id=user_id,
            appid=ACME_SHOP.appid,
        )

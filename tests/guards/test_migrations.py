"""The database schema: migrations, constraints, and references between tenants."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import ForeignKeyConstraint
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.extensions import db
from app.settings import MIGRATIONS
from tests.fixtures.personas import ACME_SHOP, Reader, enter_user


def test_migrations_have_exactly_one_head() -> None:
    assert len(ScriptDirectory(MIGRATIONS).get_heads()) == 1


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

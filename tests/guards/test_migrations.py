"""The tables are what the models say, and what the design demands."""

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


def test_there_is_one_migration_head() -> None:
    """Otherwise two changes fork the history."""
    assert len(ScriptDirectory(MIGRATIONS).get_heads()) == 1


def test_models_equal_migrations(app: Flask) -> None:
    """Otherwise code and database disagree about a column or a constraint."""
    with app.app_context():
        context = MigrationContext.configure(db.session.connection())
        assert compare_metadata(context, db.metadata) == []


def test_every_constraint_is_named_by_its_columns(app: Flask) -> None:
    """Otherwise code cannot tell violations apart."""
    for table in db.metadata.sorted_tables:
        for constraint in table.constraints:
            assert constraint.name, table.name
            if isinstance(constraint, ForeignKeyConstraint):
                assert all(name in str(constraint.name) for name in constraint.column_keys)


def test_no_foreign_key_between_tenants_rows_leaves_the_tenant_out(app: Flask) -> None:
    """Otherwise Postgres accepts a row that points into the neighbouring tenant."""
    of_tenants = {t.name for t in db.metadata.sorted_tables if "tenant_id" in t.columns}
    for table in db.metadata.sorted_tables:
        for key in table.foreign_key_constraints:
            if table.name in of_tenants and key.referred_table.name in of_tenants:
                assert key.column_keys[0] == "tenant_id", key.name


@pytest.mark.parametrize(
    "change", ["UPDATE audit_events SET action = ''", "DELETE FROM audit_events"]
)
def test_the_audit_trail_is_append_only(rows: Reader, change: str) -> None:
    """Otherwise whoever did something can take its record back."""
    assert rows.count("audit_events") > 0
    with pytest.raises(DBAPIError, match="audit_events is append only"):
        rows(change)


def test_postgres_itself_refuses_a_row_across_tenants(app: Flask, rows: Reader) -> None:
    """Otherwise one wrong statement gives a user away."""
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

"""The functions of `migrations.online` on tables that are distributed."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from app import create_app
from app.extensions import db
from config import Config
from migrations.distribution import distribute
from migrations.online import (
    add_check,
    add_foreign_key,
    add_unique,
    copy_in_batches,
    create_index,
    delete_in_batches,
    drop_index,
    drop_unique,
    lock_tables,
    replace_primary_key,
    set_not_null,
    update_in_batches,
)
from migrations.online.constraints import validate_constraints
from migrations.online.transactions import commit
from tests.citus.conftest import new_database
from tests.fixtures.migrated import MigratedDatabase
from tests.fixtures.personas import add_tenants_and_apps, enter_user

EXISTS = "SELECT count(*) FROM pg_constraint WHERE conname = %s AND convalidated"
SETTINGS = (
    "SET citus.multi_shard_modify_mode = 'sequential'",
    "SET citus.enable_unsafe_triggers = on",
)


@pytest.fixture(scope="module")
def database(config: Config) -> Iterator[MigratedDatabase]:
    """A distributed database with two tenants and users."""
    with new_database(config) as citus:
        app = create_app(replace(citus.settings(), database_listen_url=None))
        with app.app_context():
            for _ in distribute(shards=4):
                pass
            db.engine.dispose()
        add_tenants_and_apps(app)
        for number in range(10):
            enter_user(app, "acme" if number % 2 else "globex", account=f"user{number}")
        yield MigratedDatabase(app, citus.url(0))
        with app.app_context():
            db.engine.dispose()


def test_indexes_and_unique_constraints_are_added_and_dropped(database: MigratedDatabase) -> None:
    with database.revising() as connection:
        for setting in SETTINGS:
            connection.exec_driver_sql(setting)
        create_index("ix_users_level", "users", ["tenant_id", "level"], where="level > 0")
        create_index("ix_users_level", "users", ["tenant_id", "level"])
        add_unique("uq_users_again", "users", ["tenant_id", "account", "id"])
    assert database.rows(EXISTS, "uq_users_again") == [(1,)]
    with database.revising() as connection:
        for setting in SETTINGS:
            connection.exec_driver_sql(setting)
        drop_unique("uq_users_again", "users")
        drop_index("ix_users_level")
    assert database.rows("SELECT to_regclass('ix_users_level')") == [(None,)]


def test_constraints_are_added_and_validated(database: MigratedDatabase) -> None:
    key = ["tenant_id", "merged_into_id"]
    with database.revising() as connection:
        for setting in SETTINGS:
            connection.exec_driver_sql(setting)
        lock_tables("users")
        add_check("ck_users_again", "users", "level >= 0")
        add_foreign_key("fk_users_again", "users", key, "users", ["tenant_id", "id"])
        commit()
        validate_constraints(commit)
    for name in ("ck_users_again", "fk_users_again"):
        assert database.rows(EXISTS, name) == [(1,)]


def test_rows_are_changed_and_deleted_in_batches_and_columns_become_not_null(
    database: MigratedDatabase,
) -> None:
    with database.revising() as connection:
        for setting in SETTINGS:
            connection.exec_driver_sql(setting)
        assert update_in_batches("users", "nickname = account", "nickname IS NULL") == 10
        set_not_null("users", "nickname")
        assert delete_in_batches("users", "account = 'user9'") == 1
    assert database.rows("SELECT count(*) FROM users WHERE nickname = account") == [(9,)]


def test_primary_key_is_replaced(database: MigratedDatabase) -> None:
    columns = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'pk_phones'"
    with database.revising() as connection:
        for setting in SETTINGS:
            connection.exec_driver_sql(setting)
        replace_primary_key("phones", ("tenant_id", "user_id", "id"))
    assert database.rows(columns) == [("PRIMARY KEY (tenant_id, user_id, id)",)]


def test_rows_are_copied_in_batches(database: MigratedDatabase) -> None:
    """Between tables with the same shards."""
    columns = ("id", "tenant_id", "actor_kind", "action", "subject")
    before = database.rows("SELECT count(*) FROM audit_events")[0][0]
    assert before > 0
    with database.revising() as connection:
        connection.exec_driver_sql("CREATE TABLE copied (LIKE audit_events INCLUDING ALL)")
        connection.exec_driver_sql(
            "SELECT create_distributed_table('copied', 'tenant_id', colocate_with => 'users')"
        )
        commit()
        assert copy_in_batches("audit_events", "copied", columns) == before
    assert database.rows("SELECT count(*) FROM copied") == [(before,)]

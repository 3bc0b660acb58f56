"""Migration 0029: primary keys that begin with the tenant."""

from typing import Any

import pytest

from migrations.online import keys
from tests.fixtures.migrated import MigratedDatabase

PRIMARY_KEYS = (
    "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE contype = 'p' AND conrelid::regclass::text IN ('users', 'code_exchanges')"
    " ORDER BY 1 DESC"
)
NOT_VALID = "SELECT conname FROM pg_constraint WHERE NOT convalidated"
ADD_ROWS = """
INSERT INTO tenants (id, slug, name) VALUES (gen_random_uuid(), 'acme', 'Acme');
INSERT INTO users (id, tenant_id, status) SELECT gen_random_uuid(), id, 'active' FROM tenants,
    generate_series(1, 50);
UPDATE users SET status = 'merged', merged_into_id = (SELECT min(id::text)::uuid FROM users)
    WHERE id <> (SELECT min(id::text)::uuid FROM users);
"""
OLD = [("users", "PRIMARY KEY (id)"), ("code_exchanges", "PRIMARY KEY (code_index)")]
NEW = [
    ("users", "PRIMARY KEY (tenant_id, id)"),
    ("code_exchanges", "PRIMARY KEY (tenant_id, code_index)"),
]


@pytest.fixture
def before(empty: MigratedDatabase) -> MigratedDatabase:
    """A database with the schema of the previous revision and users of a tenant."""
    empty.upgrade("0028")
    empty.rows(ADD_ROWS)
    assert empty.rows(PRIMARY_KEYS) == OLD
    return empty


def test_keys_are_exchanged_and_foreign_keys_are_validated(before: MigratedDatabase) -> None:
    before.upgrade()
    assert before.rows(PRIMARY_KEYS) == NEW
    assert before.rows(NOT_VALID) == []
    assert before.rows("SELECT count(*) FROM users WHERE merged_into_id IS NOT NULL") == [(49,)]


def test_downgrade_restores_the_schema(before: MigratedDatabase) -> None:
    schema = before.schema()
    before.upgrade()
    before.downgrade("0028")
    assert before.schema() == schema


def test_interrupted_exchange_of_keys_continues(
    before: MigratedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The revision stops after some keys and the index of the next one."""
    build = keys.create_index

    def build_and_stop(name: str, table: str, *arguments: Any, **options: Any) -> None:
        build(name, table, *arguments, **options)
        if table == "phones":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(keys, "create_index", build_and_stop)
        with pytest.raises(KeyboardInterrupt):
            before.upgrade()
    assert before.revision() == "0028"
    assert before.rows(PRIMARY_KEYS)[0] == NEW[0]
    before.upgrade()
    assert before.rows(PRIMARY_KEYS) == NEW
    assert before.rows(NOT_VALID) == []

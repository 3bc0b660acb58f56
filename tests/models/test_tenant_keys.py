"""Keys of tenant tables begin with `tenant_id` (docs/decisions/0035)."""

import pytest

from app.extensions import db
from app.models.distribution import REFERENCE_TABLES, TENANT_TABLES
from tests.fixtures.personas import Reader

# The columns of every primary key, unique index and foreign key, in their order.
KEYS = """
SELECT relname, array_agg(attname::text ORDER BY place)
FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
CROSS JOIN unnest(indkey::int2[]) WITH ORDINALITY AS key (number, place)
JOIN pg_attribute ON attrelid = indrelid AND attnum = number
WHERE indisunique AND indrelid = to_regclass(:table) GROUP BY relname
UNION ALL
SELECT conname, array_agg(attname::text ORDER BY place)
FROM pg_constraint
CROSS JOIN unnest(conkey) WITH ORDINALITY AS key (number, place)
JOIN pg_attribute ON attrelid = conrelid AND attnum = number
WHERE contype = 'f' AND conrelid = to_regclass(:table) GROUP BY conname
"""
# Citus appends an underscore and a number of up to eight digits to the names of constraints.
LONGEST_NAME = 63 - 9
RECOGNISED_NAMES = (
    "pk_code_exchanges",
    "uq_users_tenant_id_account",
    "uq_phones_tenant_id_number_index",
    "pk_wechat_apps",
    "uq_operators_email",
    "uq_tenants_slug",
    "uq_session_keys_tenant_id_social_account_id_key_index",
)


@pytest.mark.parametrize("table", TENANT_TABLES)
def test_keys_of_a_tenant_table_begin_with_tenant_id(table: str, rows: Reader) -> None:
    keys = dict(rows(KEYS, table=table))
    assert f"pk_{table}" in keys
    assert {name: columns for name, columns in keys.items() if columns[0] != "tenant_id"} == {}


def test_every_table_with_a_required_tenant_is_distributed_or_copied_to_each_node() -> None:
    """Tables whose `tenant_id` may be null belong to the platform."""
    required = {
        table.name
        for table in db.metadata.sorted_tables
        if "tenant_id" in table.c and not table.c.tenant_id.nullable
    }
    assert {*TENANT_TABLES} == required - {*REFERENCE_TABLES}


@pytest.mark.parametrize("name", RECOGNISED_NAMES)
def test_recognised_constraint_names_leave_room_for_the_number_of_a_shard(name: str) -> None:
    assert len(name) <= LONGEST_NAME


@pytest.mark.parametrize("table", ["idempotent_requests", "password_tries"])
def test_table_that_is_changed_together_with_rows_of_a_user_has_no_foreign_key(table: str) -> None:
    """Citus refuses these transactions if a key connects the table with a reference table."""
    assert db.metadata.tables[table].foreign_keys == set()

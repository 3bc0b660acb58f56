"""Indexes that migrations build and drop concurrently."""

import psycopg
import pytest

from migrations.online import add_unique, create_index, drop_index, indexes, progress
from migrations.online.transactions import MigrationStopped
from tests.fixtures.migrated import MigratedDatabase

STATE = """
SELECT indexrelid, indisvalid, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indexrelid = to_regclass(%s)
"""
ADD_TENANTS = "INSERT INTO tenants (id, slug, name) SELECT gen_random_uuid(), n, 'T' FROM "


@pytest.fixture
def two_tenants(database: MigratedDatabase) -> MigratedDatabase:
    """A database with two tenants of the same name."""
    database.rows(ADD_TENANTS + "generate_series(1, 2) AS n")
    return database


def leave_invalid_index(database: MigratedDatabase, name: str) -> None:
    """Leave what an interrupted or failed concurrent build leaves."""
    with pytest.raises(psycopg.errors.UniqueViolation):
        database.rows(f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON tenants (name)")
    assert database.rows(STATE, name)[0][1] is False


def test_an_interrupted_build_starts_again(two_tenants: MigratedDatabase) -> None:
    leave_invalid_index(two_tenants, "ix_tenants_name")
    with two_tenants.revising():
        create_index("ix_tenants_name", "tenants", ["name"], where="status = 'active'")
    ((_, is_valid, definition),) = two_tenants.rows(STATE, "ix_tenants_name")
    assert is_valid
    assert "btree (name) WHERE" in definition


def test_a_complete_index_with_the_same_definition_is_kept(database: MigratedDatabase) -> None:
    for _ in range(2):
        with database.revising():
            create_index("ix_tenants_name", "tenants", ["lower(name) text_pattern_ops"])
        kept = database.rows(STATE, "ix_tenants_name")
        database.rows("COMMENT ON INDEX ix_tenants_name IS 'first'")
    assert kept == database.rows(STATE, "ix_tenants_name")
    found = database.rows("SELECT obj_description(%s::regclass)", "ix_tenants_name")
    assert found == [("first",)]


@pytest.mark.parametrize("unique", [False, True])
def test_an_index_with_another_definition_is_replaced(
    database: MigratedDatabase, unique: bool
) -> None:
    with database.revising():
        create_index("ix_tenants_name", "tenants", ["name"])
        create_index("ix_tenants_name", "tenants", ["name", "id"], unique=unique)
    ((_, _, definition),) = database.rows(STATE, "ix_tenants_name")
    assert definition.endswith("(name, id)")
    assert ("UNIQUE" in definition) is unique
    assert database.rows(STATE, "ix_tenants_name_new") == []


@pytest.mark.parametrize("old_is_dropped", [False, True])
def test_an_interrupted_replacement_continues_with_the_new_index(
    database: MigratedDatabase, old_is_dropped: bool
) -> None:
    database.rows("CREATE INDEX ix_tenants_name_new ON tenants (name, id)")
    if not old_is_dropped:
        database.rows("CREATE INDEX ix_tenants_name ON tenants (name)")
    new = database.rows(STATE, "ix_tenants_name_new")[0][0]
    with database.revising():
        create_index("ix_tenants_name", "tenants", ["name", "id"])
    assert database.rows(STATE, "ix_tenants_name")[0][0] == new
    assert database.rows(STATE, "ix_tenants_name_new") == []


def test_requests_write_while_an_index_waits_for_an_old_transaction_and_the_wait_is_shown(
    database: MigratedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []

    def use(message: str) -> None:
        with database.connect(options="-c lock_timeout=1ms") as request:
            request.execute("UPDATE tenants SET name = name")
        said.append(message)
        old.commit()

    monkeypatch.setattr(progress, "INTERVAL_SECONDS", 0.05)
    monkeypatch.setattr(progress, "say", use)
    with database.connect("backup") as old:
        old.execute("UPDATE tenants SET name = name WHERE slug = '13800138000'")
        with database.revising():
            create_index("ix_tenants_name", "tenants", ["name"])
            assert f"building ix_tenants_name: waiting for pid {old.info.backend_pid}" in said[0]
            old.execute("SELECT FROM tenants")
            drop_index("ix_tenants_name")
    assert "backup, idle in transaction" in said[0]
    assert "13800138000" not in str(said)
    assert any("dropping ix_tenants_name: waiting for pid" in message for message in said)
    assert database.rows(STATE, "ix_tenants_name") == []


def test_a_build_that_waits_too_long_stops_with_an_explanation_and_can_be_repeated(
    database: MigratedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexes, "WAIT_SECONDS", 0.05)
    with database.connect() as old:
        old.execute("UPDATE tenants SET name = name")
        with (
            database.revising() as connection,
            pytest.raises(MigrationStopped, match="ix_tenants_name: other transactions"),
        ):
            create_index("ix_tenants_name", "tenants", ["name"])
        connection.close()
    with database.revising():
        create_index("ix_tenants_name", "tenants", ["name"])
    assert database.rows(STATE, "ix_tenants_name")[0][1]


def test_a_unique_constraint_is_added_with_its_index_and_kept_if_it_exists(
    database: MigratedDatabase,
) -> None:
    for _ in range(2):
        with database.revising():
            add_unique("uq_tenants_name", "tenants", ["name"])
    database.rows(ADD_TENANTS + "generate_series(1, 1) AS n")
    with pytest.raises(psycopg.errors.UniqueViolation, match="uq_tenants_name"):
        database.rows(ADD_TENANTS + "generate_series(2, 2) AS n")


def test_a_name_that_is_too_long_for_the_replacement_is_rejected(
    database: MigratedDatabase,
) -> None:
    with database.revising(), pytest.raises(ValueError, match="too long"):
        create_index("i" * 60, "tenants", ["name"])

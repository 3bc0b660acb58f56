"""Databases of their own for tests of migrations."""

from collections.abc import Iterator

import pytest

from config import Config
from tests.fixtures.migrated import MigratedDatabase, migrated_database

# What the tests of a migrated database add or change.
RESTORE = """
DROP INDEX IF EXISTS ix_tenants_name, ix_tenants_name_new;
ALTER TABLE tenants DROP CONSTRAINT IF EXISTS uq_tenants_name,
    DROP CONSTRAINT IF EXISTS ck_tenants_name, DROP CONSTRAINT IF EXISTS tenants_name_proof;
ALTER TABLE verification_budgets DROP CONSTRAINT IF EXISTS fk_again;
DELETE FROM tenants;
ALTER TABLE tenants ALTER COLUMN name SET NOT NULL
"""


@pytest.fixture
def empty(config: Config) -> Iterator[MigratedDatabase]:
    """An empty database."""
    with migrated_database(config) as database:
        yield database


@pytest.fixture(scope="session")
def shared(config: Config) -> Iterator[MigratedDatabase]:
    """A database with all migrations."""
    with migrated_database(config) as database:
        database.upgrade()
        yield database


@pytest.fixture
def database(shared: MigratedDatabase) -> Iterator[MigratedDatabase]:
    """A database with all migrations and no rows, which is restored after the test."""
    yield shared
    shared.rows(RESTORE)

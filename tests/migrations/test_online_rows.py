"""Constraints that are validated afterwards, and changes of many rows in batches."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from migrations.online import (
    add_check,
    add_foreign_key,
    batches,
    constraints,
    delete_in_batches,
    lock_tables,
    locks,
    set_not_null,
    update_in_batches,
)
from tests.fixtures.migrated import MigratedDatabase
from tests.fixtures.waiting import until

VALIDATED = "SELECT convalidated FROM pg_constraint WHERE conname = %s"
ADD_TENANTS = """
INSERT INTO tenants (id, slug, name)
SELECT cast(lpad(n::text, 32, '0') AS uuid), n, 'T' FROM generate_series(1, 5) AS n
"""


@pytest.fixture
def tenants(database: MigratedDatabase) -> MigratedDatabase:
    """A database with five tenants."""
    database.rows(ADD_TENANTS)
    return database


def names(database: MigratedDatabase) -> str:
    """Return the names of the tenants in the order of their ids."""
    return "".join(name for (name,) in database.rows("SELECT name FROM tenants ORDER BY id"))


def test_a_constraint_holds_for_new_rows_and_is_validated_by_the_next_upgrade(
    tenants: MigratedDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    with tenants.revising():
        lock_tables("tenants")
        add_check("ck_tenants_name", "tenants", "name <> 'T' OR slug = '1'")
    with pytest.raises(psycopg.errors.CheckViolation):
        tenants.rows("UPDATE tenants SET name = 'T' WHERE slug = '5'")
    assert tenants.rows(VALIDATED, "ck_tenants_name") == [(False,)]
    with pytest.raises(SystemExit, match="Rows of tenants violate ck_tenants_name"):
        tenants.upgrade()
    tenants.rows("UPDATE tenants SET name = 'U' WHERE slug > '1'")
    tenants.upgrade()
    assert tenants.rows(VALIDATED, "ck_tenants_name") == [(True,)]
    assert "validating ck_tenants_name of tenants" in capsys.readouterr().err


def test_a_foreign_key_is_validated_while_requests_write(tenants: MigratedDatabase) -> None:
    with tenants.revising():
        lock_tables("verification_budgets", "wechat_apps")
        key = ("verification_budgets", ["tenant_id"], "tenants", ["id"])
        add_foreign_key("fk_again", *key)
    assert tenants.rows(VALIDATED, "fk_again") == [(False,)]
    with tenants.connect() as request:
        request.execute("UPDATE tenants SET name = 'U'")
        request.execute("UPDATE verification_budgets SET calls = 0")
        tenants.upgrade()
    assert tenants.rows(VALIDATED, "fk_again") == [(True,)]


def test_a_column_is_made_not_null_also_after_an_interruption(
    tenants: MigratedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interruption leaves the constraint that proves it. It does not remain."""
    tenants.rows("UPDATE tenants SET name = NULL WHERE false")
    tenants.rows("ALTER TABLE tenants ALTER COLUMN name DROP NOT NULL")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(constraints, "validate_constraints", interrupt)
        with pytest.raises(KeyboardInterrupt), tenants.revising():
            set_not_null("tenants", "name")
    assert tenants.rows(VALIDATED, "tenants_name_proof") == [(False,)]
    for _ in range(2):
        with tenants.revising():
            set_not_null("tenants", "name")
    assert tenants.rows(VALIDATED, "tenants_name_proof") == []
    with pytest.raises(psycopg.errors.NotNullViolation):
        tenants.rows("UPDATE tenants SET name = NULL")


def test_an_interrupted_update_keeps_its_complete_batches_and_can_be_repeated(
    tenants: MigratedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH", 2)
    monkeypatch.setattr(batches, "SHOW_SECONDS", -1)

    def interrupt(message: str) -> None:
        if "4 rows" in message:
            raise KeyboardInterrupt

    monkeypatch.setattr(batches, "say", interrupt)
    with pytest.raises(KeyboardInterrupt), tenants.revising():
        update_in_batches("tenants", "name = name || 'U'", "name = 'T'")
    assert names(tenants) == "TUTUTUTUT"
    with tenants.revising():
        assert update_in_batches("tenants", "name = name || 'U'", "name = 'T'") == 1
    assert names(tenants) == "TUTUTUTUTU"


def test_batches_change_only_the_rows_of_the_condition_and_of_the_index(
    tenants: MigratedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH", 2)
    with tenants.revising():
        update_in_batches("tenants", "name = 'U'", "slug > '2'", within="slug < '5'", key="slug")
        assert names(tenants) == "TTUUT"
        assert delete_in_batches("tenants", "name = 'U'") == 2
    assert names(tenants) == "TTT"


def test_a_batch_never_makes_a_request_the_victim_of_a_deadlock(
    tenants: MigratedDatabase,
) -> None:
    """The request has locked the second row and needs the first one, which the batch has locked."""
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> %s"

    with tenants.connect() as request, ThreadPoolExecutor() as pool:
        request.execute("UPDATE tenants SET status = status WHERE slug = '2'")
        pid = request.info.backend_pid

        def use() -> None:
            until(lambda: tenants.rows(waiting, pid)[0][0])
            request.execute("UPDATE tenants SET status = status WHERE slug = '1'")
            request.commit()

        using = pool.submit(use)
        with tenants.revising():
            assert update_in_batches("tenants", "name = 'U'", "true") == 5
        using.result()
    assert names(tenants) == "UUUUU"


def test_a_batch_that_stays_blocked_stops_and_keeps_what_is_done(
    tenants: MigratedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH", 2)
    monkeypatch.setattr(locks, "TRIES", 2)
    with tenants.connect("import") as request:
        request.execute("UPDATE tenants SET name = name WHERE slug = '4'")
        with pytest.raises(Exception, match="import, idle in transaction"), tenants.revising():
            update_in_batches("tenants", "name = 'U'", "true")
    assert names(tenants) == "UUTTT"

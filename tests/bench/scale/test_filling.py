"""A filled database has the schema of the migrations and rows like those of real use."""

from collections.abc import Iterator

import psycopg
import pytest

from config.development.postgres import hold_server
from tests.bench.data.bulk_rows import SESSIONS_PER_USER, TABLES
from tests.bench.data.filling import parts_of
from tests.bench.data.world import migrate, started_world
from tests.bench.scale.databases import LOADING, fill_in_background, remove, start_server
from tests.bench.scale.people import all_people, groups_of
from tests.bench.scale.space import read_space

USERS = 2_000
SCHEMA = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated::text
    FROM pg_constraint WHERE conrelid = ANY (%(tables)s::regclass[])
    UNION ALL
    SELECT indrelid::regclass::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid),
        (indisvalid AND indisready)::text
    FROM pg_index WHERE indrelid = ANY (%(tables)s::regclass[])
    UNION ALL
    SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), tgenabled::text
    FROM pg_trigger WHERE tgrelid = ANY (%(tables)s::regclass[]) AND NOT tgisinternal
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a filled database."""
    folder = tmp_path_factory.mktemp("scale")
    fill_in_background(folder, USERS)
    with hold_server(folder) as server:
        yield server.url
    remove(folder)
    assert not folder.exists()


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a migrated and empty database."""
    folder = tmp_path_factory.mktemp("migrated")
    with start_server(folder, LOADING) as server, started_world(folder, server) as made:
        migrate(made)
        yield server.url
    remove(folder)


def rows_of(url: str, statement: str) -> list[tuple[object, ...]]:
    """Return the sorted rows of a statement about the filled tables."""
    with psycopg.connect(url) as connection:
        return sorted(connection.execute(statement.encode(), {"tables": list(TABLES)}).fetchall())


@pytest.mark.slow
def test_the_schema_is_that_of_the_migrations(filled: str, migrated: str) -> None:
    schema = rows_of(migrated, SCHEMA)
    assert len(schema) > 50
    assert rows_of(filled, SCHEMA) == schema


@pytest.mark.slow
def test_each_user_has_the_stated_rows(filled: str) -> None:
    people = len(all_people(USERS))
    spaces = read_space(filled).tables
    assert people == USERS // 2
    for table in ("users", "social_accounts", "session_keys"):
        assert spaces[table].rows == USERS
    sessions = 2 * people + SESSIONS_PER_USER * (USERS - people)
    assert spaces["login_sessions"].rows == pytest.approx(sessions, rel=0.05)
    assert spaces["phones"].rows == pytest.approx(0.3 * USERS, rel=0.05)
    assert spaces["audit_events"].rows == pytest.approx(1.3 * (USERS - people), rel=0.05)


@pytest.mark.slow
def test_rows_refer_to_rows_of_their_tenant_and_app(filled: str) -> None:
    """The foreign keys are validated, so only the session's user and account may differ."""
    differing = """
        SELECT count(*) FROM login_sessions s JOIN social_accounts a ON a.id = s.social_account_id
        WHERE (a.tenant_id, a.appid, a.user_id) IS DISTINCT FROM (s.tenant_id, s.appid, s.user_id)
    """
    assert rows_of(filled, differing) == [(0,)]


@pytest.mark.slow
def test_times_and_ids_of_sessions_agree_and_are_spread(filled: str) -> None:
    wrong = """
        SELECT count(*) FROM login_sessions WHERE device <> 'bench' AND seen_at < created_at
    """
    assert rows_of(filled, wrong) == [(0,)]
    distinct = "SELECT count(*) > 500 FROM (SELECT DISTINCT appid FROM social_accounts) AS apps"
    assert rows_of(filled, distinct) == [(True,)]


@pytest.mark.slow
def test_people_under_load_are_in_the_database(filled: str) -> None:
    groups = groups_of(USERS)
    people = [*groups.warm, *(person for group in groups.cold for person in group)]
    assert len({person.number for person in people}) == len(people) > 900
    with psycopg.connect(filled) as connection:
        found = connection.execute(
            "SELECT count(*) FROM users WHERE id = ANY (%s::uuid[])",
            [[person.user_id for person in people]],
        ).fetchone()
    assert found == (len(people),)


def test_parts_contain_each_user_once() -> None:
    parts = parts_of(25_000, {3, 9_999, 10_000, 24_999})
    assert [part.people for part in parts] == [(3, 9_999), (10_000,), (24_999,)]
    assert [number for part in parts for number in part.numbers] == list(range(25_000))
    assert [part.people for part in parts_of(2, None)] == [(0, 1)]

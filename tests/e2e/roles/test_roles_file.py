"""deploy/postgresql/roles.sql for new databases and for databases of one role."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from tests.fixtures.servers.debian_postgres import (
    OWNER,
    SERVICE,
    create_roles,
    new_debian_server,
    upgrade,
    url_of,
)
from tests.fixtures.servers.replication import DATABASE, PostgresProcess, server_folder

OWNERS = """
SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION SELECT pg_get_userbyid(proowner) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()
"""


@pytest.fixture
def one_role() -> Iterator[PostgresProcess]:
    """A server with a database that the role of the service owns."""
    with server_folder() as folder:
        server = new_debian_server(folder, "server")
        try:
            server.create_cluster()
            server(f"CREATE ROLE {SERVICE} LOGIN", database="postgres")
            server(f"CREATE DATABASE {DATABASE} OWNER {SERVICE}", database="postgres")
            assert upgrade(server, SERVICE).returncode == 0
            yield server
        finally:
            server.remove()


def test_a_database_of_one_role_is_converted(one_role: PostgresProcess) -> None:
    with psycopg.connect(url_of(one_role, SERVICE), autocommit=True) as session:
        session.execute("INSERT INTO key_proofs (name, proof) VALUES ('pepper', 'x')")
        create_roles(one_role)
        create_roles(one_role)

        assert one_role(OWNERS) == [(OWNER,)]
        session.execute("DELETE FROM key_proofs")
        with pytest.raises(InsufficientPrivilege):
            session.execute("TRUNCATE key_proofs")
    assert upgrade(one_role, OWNER).returncode == 0


def test_new_roles_have_no_password(server: PostgresProcess) -> None:
    """A password in the file would be the same in every deployment that did not replace it."""
    create_roles(server)
    query = "SELECT rolpassword FROM pg_authid WHERE rolname LIKE 'wxpass%'"
    assert server(query, database="postgres") == [(None,), (None,)]


def test_migrations_with_the_role_of_the_service_explain_which_role_to_use(
    server: PostgresProcess,
) -> None:
    create_roles(server)
    refused = upgrade(server, SERVICE)

    assert refused.returncode == 1
    assert "permission denied for schema public" in refused.stderr
    assert "the role that owns the database" in refused.stderr
    assert "Traceback" not in refused.stderr

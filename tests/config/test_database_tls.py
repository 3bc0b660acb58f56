"""Production requires TLS for connections to PostgreSQL on other hosts."""

import subprocess
import sys
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict
from structlog.testing import capture_logs

from app.boot import warn_of_trusted_network
from config import Config, ConfigError, load_config
from config.database_tls import NotConnectable, is_protected, require_database_tls
from tests.config.test_settings import SECRET, environ

ROOT = Path(__file__).resolve().parents[2]
SCHEME = "postgresql+psycopg://"


def config_of(url: str, **more: str | None) -> Config:
    """Return the settings of production with a database URL."""
    return load_config(environ(DATABASE_URL=url, **more))


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
@pytest.mark.parametrize("where", ["db.internal", "10.0.0.5:5433", "[2001:db8::1]", "a,b"])
def test_a_database_url_with_tls_is_protected_for_every_host(mode: str, where: str) -> None:
    assert is_protected(f"{SCHEME}me:pw@{where}/wxpass?sslmode={mode}", {})


@pytest.mark.parametrize(
    "parameters",
    [
        *("", "?sslmode=prefer", "?sslmode=allow", "?sslmode=disable", "?sslmode="),
        *("?sslmode=REQUIRE", "?sslmode=requires", "?sslrootcert=ca.pem"),
        *("?sslmode=require&sslmode=disable", "?sslmode=disable&sslmode=require"),
        *("?application_name=sslmode%3Drequire", "?options=-c%20sslmode%3Drequire"),
    ],
)
def test_a_database_url_with_sslmode_weaker_than_require_is_not_protected(parameters: str) -> None:
    assert not is_protected(f"{SCHEME}me:pw@db.internal/wxpass{parameters}", {})


@pytest.mark.parametrize(
    "rest",
    [
        *("/wxpass", "me@/wxpass?host=/var/run/postgresql", "/wxpass?host=@abstract"),
        *("/wxpass?host=/run/a,/run/b", "localhost/wxpass", "LocalHost:5433/wxpass"),
        *("127.0.0.1:5433/wxpass", "127.8.8.8/wxpass", "[::1]/wxpass", "[::1]:5433/wxpass"),
        *("/wxpass?host=::1", "[::ffff:127.0.0.1]/wxpass", "/wxpass?host=localhost:5433"),
        *("localhost,127.0.0.1/wxpass", "/wxpass?host=localhost&host=127.0.0.1:5433"),
        # The connection goes to hostaddr. The host name is used for verification only.
        *("db.internal/wxpass?hostaddr=127.0.0.1", "a,b/wxpass?hostaddr=127.0.0.1,::1"),
        # The parameter `host` overrides the host before the path.
        "db.internal/wxpass?host=/var/run/postgresql",
    ],
)
def test_unix_sockets_and_loopback_addresses_are_protected_without_tls(rest: str) -> None:
    assert is_protected(SCHEME + rest, {})


@pytest.mark.parametrize(
    "rest",
    [
        # Host names that DNS may resolve to any address. The check resolves no names.
        *("db/wxpass", "localhost.localdomain/wxpass", "ip6-localhost/wxpass", "localhost./wxpass"),
        *("db.localhost/wxpass", "127.1/wxpass", "0x7f.0.0.1/wxpass", "2130706433/wxpass"),
        *("127.0.0.1.nip.io/wxpass", "0.0.0.0/wxpass", "[::]/wxpass", "[::ffff:10.0.0.5]/wxpass"),
        *("192.168.0.5/wxpass", "[fe80::1]/wxpass", "/wxpass?host=[::1]", "%2Ftmp/wxpass"),
        # A URL is unprotected if one of several hosts is unprotected.
        *("localhost,db/wxpass", "/wxpass?host=/var/run/postgresql,db"),
        *("localhost/wxpass?host=db", "/wxpass?host=localhost&host=db"),
        "/wxpass?host=db&host=localhost",
        *("localhost/wxpass?hostaddr=10.0.0.5", "a,b/wxpass?hostaddr=127.0.0.1,10.0.0.5"),
        *("localhost,db/wxpass?hostaddr=127.0.0.1", "localhost,db/wxpass?hostaddr=127.0.0.1,"),
        # The service file may contain any address.
        *("localhost/wxpass?service=main", "/wxpass?service=main"),
    ],
)
def test_other_hosts_and_addresses_are_not_protected_without_tls(rest: str) -> None:
    assert not is_protected(SCHEME + rest, {})


def test_all_hosts_that_sqlalchemy_passes_to_psycopg_are_checked() -> None:
    """From this URL, libpq would read the host `localhost` only. SQLAlchemy passes both hosts."""
    rest = "/wxpass?host=db&host=localhost"
    assert conninfo_to_dict(f"postgresql://{rest}")["host"] == "localhost"
    assert not is_protected(SCHEME + rest, {})


@pytest.mark.parametrize(
    ("rest", "variables", "expected"),
    [
        ("db/wxpass", {"PGSSLMODE": "require"}, True),
        ("db/wxpass", {"PGSSLMODE": "prefer"}, False),
        ("db/wxpass?sslmode=disable", {"PGSSLMODE": "verify-full"}, False),
        ("db/wxpass?sslmode=verify-full", {"PGSSLMODE": "disable"}, True),
        ("/wxpass", {"PGHOST": "db"}, False),
        ("/wxpass", {"PGHOST": "/var/run/postgresql"}, True),
        ("localhost/wxpass", {"PGHOST": "db"}, True),
        ("localhost/wxpass", {"PGHOSTADDR": "10.0.0.5"}, False),
        ("db/wxpass", {"PGHOSTADDR": "127.0.0.1"}, True),
        ("localhost/wxpass", {"PGSERVICE": "main"}, False),
        # The service file may contain sslmode=disable, and takes precedence over PGSSLMODE.
        ("db/wxpass", {"PGSERVICE": "main", "PGSSLMODE": "require"}, False),
        ("db/wxpass?sslmode=require", {"PGSERVICE": "main"}, True),
    ],
)
def test_environment_variables_of_libpq_are_part_of_the_check(
    rest: str, variables: dict[str, str], expected: bool
) -> None:
    assert is_protected(SCHEME + rest, variables) is expected


@pytest.mark.parametrize("rest", ["db/wxpass?ssl=true", "db/wxpass?SSLMODE=require", "a:1,b:2/x"])
def test_a_database_url_that_psycopg_rejects_raises_not_connectable(rest: str) -> None:
    with pytest.raises(NotConnectable):
        is_protected(SCHEME + rest, {})


@pytest.mark.parametrize(
    "url",
    [f"postgresql://me:{SECRET}@db.internal/wxpass", f"postgresql://me:{SECRET}@db/x?ssl=true"],
)
def test_startup_error_without_tls_names_database_url_and_prints_a_valid_one(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        require_database_tls(config_of(url), {})
    assert caught.value.name == "DATABASE_URL"
    message = str(caught.value)
    assert SECRET not in message
    valid = message.rpartition("export DATABASE_URL='")[2].rstrip("'")
    require_database_tls(config_of(valid), {})


def test_tls_is_required_for_the_replica_too_and_the_error_names_its_setting() -> None:
    primary, replica = "postgresql://localhost/wxpass", f"postgresql://me:{SECRET}@standby/wxpass"
    config = config_of(primary, DATABASE_REPLICA_URL=replica)
    with pytest.raises(ConfigError) as caught:
        require_database_tls(config, {})
    assert caught.value.name == "DATABASE_REPLICA_URL"
    assert SECRET not in str(caught.value)
    valid = str(caught.value).rpartition("export DATABASE_REPLICA_URL='")[2].rstrip("'")
    require_database_tls(config_of(primary, DATABASE_REPLICA_URL=valid), {})


def test_database_tls_trusted_network_is_accepted_and_logged_as_a_warning() -> None:
    config = config_of("postgresql://db.internal/wxpass", DATABASE_TLS="trusted-network")
    require_database_tls(config, {})
    for _ in range(2):
        with capture_logs() as logs:
            warn_of_trusted_network(config)
        assert [(log["log_level"], log["setting"]) for log in logs] == [
            ("warning", "DATABASE_TLS=trusted-network")
        ]


def test_no_warning_is_logged_if_the_database_url_requires_tls() -> None:
    with capture_logs() as logs:
        warn_of_trusted_network(config_of("postgresql://db/wxpass?sslmode=require"))
    assert logs == []


def test_development_accepts_a_database_url_without_tls() -> None:
    config = config_of("postgresql://db.internal/wxpass", WXPASS_ENV="development")
    require_database_tls(config, {})


def test_importing_config_imports_neither_psycopg_nor_sqlalchemy() -> None:
    """gunicorn reads its configuration before gevent patches the modules that psycopg uses."""
    script = "import sys, config; print([n for n in ('psycopg', 'sqlalchemy') if n in sys.modules])"
    finished = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert finished.stdout == "[]\n"

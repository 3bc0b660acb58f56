"""Fixtures: a PostgreSQL rolled back after each test, and a WeChat simulator on a socket."""

import os
import secrets
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import psycopg
import pyotp
import pytest
from argon2 import PasswordHasher
from flask import Flask
from psycopg import sql
from werkzeug.serving import make_server
from xdist.scheduler import LoadFileScheduling

from app.clock import now
from app.extensions import db
from app.services.login import code_exchange
from app.services.login.code_failures import CodeFailures
from app.services.passwords import hashing, login_throttling
from app.services.runtime.rate_limits import RateLimits
from app.simulator import create_simulator
from config import Config, load_config
from config.cpu_limit import usable_cpus
from config.development import fill, var_folder
from config.development.postgres import hold_server
from tests.fixtures.login_codes import clear_code_flights
from tests.fixtures.openapi.documented_errors import DocumentedErrors
from tests.fixtures.operators import is_a_guessed_code_valid_soon
from tests.fixtures.personas import (
    APPS,
    Client,
    Person,
    Reader,
    WeChat,
    service_of,
    statements_sent,
    transactions_rolled_back,
)
from tests.fixtures.servers.citus import (
    CITUS_URL,
    SEQUENTIAL,
    citus_database,
    remove_undistributed,
)
from tests.fixtures.tables import statements_that_restore
from tests.fixtures.tenant_sql import ServiceStatements, service_statements
from tests.metrics.recorded import RecordedMetrics, recording_metrics

# Folders of which all tests are slow: processes, databases of their own, many generated requests.
SLOW = ("tests/e2e/", "tests/migrations/", "tests/properties/", "tests/restore/")
# Folders of which all files share servers, so that one process runs them.
LIVE = ("tests/e2e/live/", "tests/e2e/replica/")
# The paths of the tests that run first.
FIRST = (
    *("tests/e2e/test_make_run.py", "tests/e2e/test_production.py", *LIVE),
    *("tests/e2e/failover/", "tests/e2e/pooler/"),
)

# Each of up to four processes has pools of 30 connections. PostgreSQL's default is 100.
MANY_CONNECTIONS = ("-c", "max_connections=400")

# Without cached bytecode, each of about thirty processes would compile the service again, and each
# process of pytest the tests.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the files first that take longest, so that both cores are used until the end.

    The others run in the order of their names, or in one that TEST_ORDER_SEED selects. All tests of
    the folders in SLOW have the mark `slow`.
    """
    remove_undistributed(items)
    for item in items:
        if item.nodeid.startswith(SLOW):
            item.add_marker(pytest.mark.slow)
    if seed := os.environ.get("TEST_ORDER_SEED"):
        files = sorted({item.path for item in items})
        Random(seed).shuffle(files)
        items.sort(key=lambda item: files.index(item.path))
    items.sort(key=lambda item: not item.nodeid.startswith(FIRST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return one process more than there are CPUs, because tests wait for PostgreSQL."""
    return usable_cpus() + 1


class LiveTestScheduling(LoadFileScheduling):
    """Assigns whole files to a process, and all files of a folder of LIVE to one."""

    def _split_scope(self, nodeid: str) -> str:
        folder = next((folder for folder in LIVE if nodeid.startswith(folder)), None)
        return folder or super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LiveTestScheduling:
    """Schedule the tests of several processes."""
    return LiveTestScheduling(config, log)


@pytest.fixture(scope="session")
def wechat() -> Iterator[WeChat]:
    """A WeChat simulator with the mini-programs of the tests."""
    simulator = create_simulator({})
    server = make_server("127.0.0.1", 0, simulator, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    simulated = WeChat(f"http://127.0.0.1:{server.port}", simulator)
    for app in APPS:
        simulated.control("apps", appid=app.appid, secret=app.secret, open_platform=app.tenant)
    yield simulated
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def config(wechat: WeChat) -> Iterator[Config]:
    """Development settings with a database of this run, or that of CITUS_URL."""
    own = {"DATABASE_POOL_SIZE": "30", "WECHAT_API_BASE_URL": wechat.url}
    with database_of_this_run() if CITUS_URL is None else citus_database(CITUS_URL) as database:
        environ = dict(os.environ) | database | own
        fill(environ)
        yield load_config(environ)


@contextmanager
def database_of_this_run() -> Iterator[dict[str, str]]:
    """Create a database, and drop it after the block. Yield the settings that lead to it."""
    name = f"wxpass_test_{secrets.token_hex(4)}"
    with hold_server(var_folder(dict(os.environ)), name, MANY_CONNECTIONS) as server:
        disable_synchronous_commit(server.url, name)
        yield {"DATABASE_URL": server.url}
        drop_database(server.url_of("postgres"), name)


def disable_synchronous_commit(url: str, name: str) -> None:
    """Disable waiting for the disk at commit. The database need not survive a power failure."""
    with psycopg.connect(url, autocommit=True) as connection:
        off = sql.SQL("ALTER DATABASE {} SET synchronous_commit = off")
        connection.execute(off.format(sql.Identifier(name)))


def drop_database(url: str, name: str) -> None:
    """Drop the database of this run, and close its connections."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """Hash with minimal parameters. test_hashing.py tests the real ones."""
    with pytest.MonkeyPatch.context() as patch:
        cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(hashing, "HASHER", cheap)
        patch.setattr(hashing, "DECOY_HASH", cheap.hash("nobody has this password"))
        yield


@pytest.fixture(scope="session", autouse=True)
def short_waits_for_codes() -> Iterator[None]:
    """Wait briefly for the login of another process with a rejected code.

    test_code_exchange.py waits as long as production does.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(code_exchange, "USED_WAIT_SECONDS", 0.05)
        patch.setattr(code_exchange, "INVALID_WAIT_SECONDS", 0.01)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_guessed_code_is_valid() -> Iterator[None]:
    """Generate only TOTP secrets for which no code of GUESSED_CODES is valid during the tests."""
    generate = pyotp.random_base32

    def generate_again() -> str:
        secret = generate()
        return generate_again() if is_a_guessed_code_valid_soon(pyotp.TOTP(secret)) else secret

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pyotp, "random_base32", generate_again)
        yield


@pytest.fixture(scope="session")
def app(config: Config) -> Iterator[Flask]:
    """The service with its tables, tenants and mini-programs."""
    with service_of(config) as app:
        yield app


@pytest.fixture(scope="session")
def documented_errors(app: Flask) -> DocumentedErrors:
    """The error responses that differ from the OpenAPI document."""
    return DocumentedErrors(app)


@pytest.fixture(scope="session")
def watched_statements() -> Iterator[ServiceStatements]:
    """Collects the statements of the service that are not limited to one tenant."""
    with service_statements() as statements:
        yield statements


@pytest.fixture(autouse=True)
def statements_are_of_one_tenant(watched_statements: ServiceStatements) -> Iterator[None]:
    """Fail a test if the service sends a statement that is not limited to one tenant."""
    yield
    assert watched_statements.take_unlimited() == []


@pytest.fixture(autouse=True)
def errors_are_documented(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test if an operation responds with an error that OpenAPI does not list for it."""
    if "app" not in request.fixturenames:
        yield
        return
    errors: DocumentedErrors = request.getfixturevalue("documented_errors")
    yield
    assert errors.take_undocumented() == []


@pytest.fixture(autouse=True)
def isolated(request: pytest.FixtureRequest) -> None:
    """Undo the effects of a test on the service."""
    if "app" in request.fixturenames:
        # Whether Citus accepts a transaction is known only when it is committed.
        commits = CITUS_URL or request.node.get_closest_marker("real_commits")
        request.getfixturevalue("committed" if commits else "rolled_back")
        request.getfixturevalue("wechat").reset()
        extensions = request.getfixturevalue("app").extensions
        extensions["call_limits"]._states.clear()
        extensions["rate_limits"] = limiter = RateLimits()
        extensions["code_failures"] = CodeFailures(limiter, 30)
        clear_code_flights(request.getfixturevalue("app"))


@pytest.fixture
def rolled_back(app: Flask) -> Iterator[None]:
    """Run every transaction of a test inside one that is rolled back."""
    with transactions_rolled_back(app):
        yield


@pytest.fixture(scope="session")
def restoring_statements(app: Flask) -> list[str]:
    """The statements that restore the rows of the database after a test."""
    return statements_that_restore(app)


@pytest.fixture
def committed(app: Flask, restoring_statements: list[str]) -> Iterator[None]:
    """Let a test of concurrency commit, and restore the rows of all tables afterwards."""
    yield
    with app.app_context(), db.engine.begin() as connection:
        connection.execution_options(no_parameters=True)
        if CITUS_URL is None:
            connection.exec_driver_sql("; ".join(restoring_statements))
            return
        for statement in (f"SET LOCAL {SEQUENTIAL}", *restoring_statements):
            connection.exec_driver_sql(statement)


@pytest.fixture
def no_waits_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock of login throttling, because a wait of 1 s may be over too soon."""
    moment = now()
    monkeypatch.setattr(login_throttling, "now", lambda: moment)


@pytest.fixture
def client(app: Flask) -> Client:
    """A client of the service."""
    return Client(app)


@pytest.fixture
def rows(app: Flask) -> Reader:
    """The database of the service."""
    return Reader(app)


@pytest.fixture
def recorded() -> Iterator[RecordedMetrics]:
    """The metrics that are recorded from here on."""
    with recording_metrics() as recorded:
        yield recorded


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """The statements sent to the database from here on."""
    with statements_sent() as sent:
        yield sent


@pytest.fixture
def alice(wechat: WeChat) -> Person:
    """Alice, with WeChat on her phone."""
    return Person(wechat, "alice", "13800138001")


@pytest.fixture
def bob(wechat: WeChat) -> Person:
    """Bob, with WeChat on his phone."""
    return Person(wechat, "bob", "13800138002")

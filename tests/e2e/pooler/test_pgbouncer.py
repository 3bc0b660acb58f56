"""The service behind PgBouncer in transaction mode, set up as docs/operations.md describes."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from flask import Flask

from app import create_app
from app.extensions import db
from app.services.database.transactions import autocommit, execute_locked
from config import Config
from tests.e2e.pooler.clients import Clients, new_person
from tests.e2e.pooler.conftest import Site
from tests.fixtures.operators import add_operator
from tests.fixtures.personas import Client, WeChat
from tests.fixtures.servers.gunicorn import INVALIDATION_SECONDS, ROOT, Service, Worker
from tests.fixtures.servers.replication import DATABASE
from tests.fixtures.traffic import Traffic
from tests.fixtures.waiting import until

RECOVERY_SECONDS = 5.0
END = (
    "UPDATE login_sessions SET ended_at = now(), end_reason = 'revoked'"
    " WHERE token_hash = sha256(%s)"
)
UNEND = "UPDATE login_sessions SET ended_at = NULL, end_reason = NULL WHERE token_hash = sha256(%s)"
COMMANDS = (("keys", "rotate"), ("tenants", "list"))


@pytest.fixture(scope="module")
def clients(pooled_app: Flask, pooled_service: Service, wechat: WeChat) -> Clients:
    add_operator(pooled_app, "ann@acme.example", "tenant_admin", "acme")
    return Clients(pooled_app, pooled_service, wechat)


def has_cached(site: Site, worker: Worker, token: str) -> bool:
    """Return whether a worker has cached a session: it misses an end without notification."""
    assert worker.verify(token) == 204
    silently(site, END, token)
    answer = worker.verify(token)
    silently(site, UNEND, token)
    return answer == 204


def silently(site: Site, statement: str, token: str) -> None:
    """Run a statement with triggers disabled, so that no notification is sent."""
    url = f"postgresql://postgres@{site.server.address}/{DATABASE}"
    with psycopg.connect(url) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(statement, [token.encode()])


def run_command(config: Config, site: Site, *arguments: str) -> None:
    """Run a command of the service through the pooler."""
    environ = dict(os.environ) | site.settings
    environ |= {"WECHAT_API_BASE_URL": config.wechat_api_base_url}
    command = [sys.executable, "-m", "flask", "--app", "wsgi", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_request_fails_behind_a_pooler_with_fewer_connections_than_the_workers(
    clients: Clients, config: Config, site: Site
) -> None:
    """Requests of all kinds succeed, and so do commands at the same time."""
    traffic = Traffic(clients.kinds(), threads=2)
    with traffic.running():
        for command in COMMANDS:
            run_command(config, site, *command)
        began = time.monotonic()
        traffic.until_each_succeeds(began, times=10)
    assert [str(one) for one in traffic.records if not one.has_succeeded] == []


def test_an_ended_session_is_refused_by_every_worker_within_a_second(
    pooled_app: Flask, pooled_service: Service, site: Site, wechat: WeChat
) -> None:
    """The caches are on: the listener bypasses the pooler."""
    token = Client(pooled_app).bind(new_person(wechat))["token"]
    workers = pooled_service.workers(2)
    for worker in workers:
        until(lambda worker=worker: has_cached(site, worker, token))
    site.server(END, token.encode())
    time.sleep(INVALIDATION_SECONDS)
    assert [worker.verify(token) for worker in workers] == [401, 401]


def test_workers_recover_from_a_restart_of_the_pooler_under_load(
    clients: Clients, site: Site
) -> None:
    traffic = Traffic(clients.kinds())
    with traffic.running():
        traffic.until_each_succeeds(0.0)
        site.pooler.stop()
        until(lambda: any(one.status == 503 for one in traffic.records))
        site.pooler.start()
        started_at = time.monotonic()
        traffic.until_each_succeeds(started_at, RECOVERY_SECONDS)
        recovered_at = started_at + RECOVERY_SECONDS
        traffic.until_each_succeeds(recovered_at)
    assert {one.status for one in traffic.records if not one.has_succeeded} == {503}
    assert [str(one) for one in traffic.since(recovered_at) if not one.has_succeeded] == []


def test_prepared_statements_of_two_clients_would_be_mixed_up(site: Site) -> None:
    """Why DATABASE_POOLER disables them.

    psycopg gives the first prepared statement of each connection the same name.
    """
    site.pooler.stop()
    site.pooler.start(default_pool_size="2")
    own, foreign, third = (psycopg.connect(site.pooler.url, prepare_threshold=0) for _ in range(3))
    try:
        own.execute("SELECT 'own'")
        foreign.execute("SELECT 'foreign'")  # on the second server connection
        own.commit()
        third.execute("SELECT 'third'", prepare=False)  # on the first one, which is free
        foreign.commit()
        assert own.execute("SELECT 'own'").fetchone() == ("foreign",)
        third.commit()
        own.commit()
        with pytest.raises(psycopg.errors.DuplicatePreparedStatement):
            third.execute("SELECT 'third'")
    finally:
        for connection in (own, foreign, third):
            connection.close()
        site.pooler.stop()
        site.pooler.start()


def test_the_statements_of_a_pipeline_run_in_one_transaction_behind_the_pooler(
    pooled_app: Flask, site: Site, config: Config
) -> None:
    app = create_app(site.config(config))

    def run(number: int) -> tuple[str, ...] | None:
        value = {"value": str(number)}
        with app.app_context(), autocommit() as connection:
            setting = "SELECT set_config('wxpass.pipeline', %(value)s, true)"
            reading = "SELECT current_setting('wxpass.pipeline'), %(value)s::text"
            return execute_locked(connection, setting, reading, value).fetchone()

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(run, range(400)))
    assert found == [(str(number), str(number)) for number in range(400)]
    with app.app_context():
        db.engine.dispose()

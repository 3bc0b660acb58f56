"""Ended sessions are rejected by every worker within a second.

The benchmark measures the actual delay (docs/performance.md).
"""

import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from flask import Flask

from app.services.apps.apps import NewApp, add_app, set_app_enabled
from app.services.apps.claims import claim_app
from app.services.apps.releases import move_app, release_app
from app.services.apps.tenants import tenant_id_of
from app.services.audit import OPERATOR
from config import Config
from config.development.postgres_commands import start, stop
from tests.e2e.live.conftest import Database
from tests.fixtures.many_sessions import copied_token, copy_session
from tests.fixtures.personas import ACME_SHOP, GLOBEX_LIFE, App, Client, Person, Reader, WeChat
from tests.fixtures.servers.gunicorn import INVALIDATION_SECONDS, Service, Worker, serving, stopped
from tests.fixtures.waiting import until

ENDED = "UPDATE login_sessions SET ended_at = now(), end_reason = 'revoked'"
ENDED_BY_TOKEN = f"{ENDED} WHERE token_hash = sha256(%(token)s::bytea)"
UNENDED = (
    "UPDATE login_sessions SET ended_at = NULL, end_reason = NULL"
    " WHERE token_hash = sha256(%(token)s::bytea)"
)


NUMBERS = itertools.count(13900000000)


def people(wechat: WeChat, how_many: int) -> list[Person]:
    """Return new people with their own phone numbers."""
    numbers = itertools.islice(NUMBERS, how_many)
    return [Person(wechat, f"person {number}", str(number)) for number in numbers]


def has_cached(database: Database, worker: Worker, token: str) -> bool:
    """Return whether a worker has cached a session: it misses an end without notification."""
    assert worker.verify(token) == 204
    database.silently(ENDED_BY_TOKEN, token=token)
    answer = worker.verify(token)
    database.silently(UNENDED, token=token)
    return answer == 204


class Load:
    """Verifies tokens in both workers continuously, and records wrong responses."""

    def __init__(self, service: Service, tokens: list[str]) -> None:
        self.url, self.tokens = service.url, tokens
        self.ended: dict[str, float] = {}
        self.errors: list[str] = []
        self.responses = 0
        self._over = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send requests inside the block."""
        threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join(30)

    def end(self, database: Database) -> None:
        """End one more session, and record the time."""
        token = self.tokens[len(self.ended)]
        database(ENDED_BY_TOKEN, token=token)
        self.ended[token] = time.monotonic()

    def _ask(self, number: int) -> None:
        http = requests.Session()
        while not self._over.is_set():
            token = self.tokens[(self.responses + number) % len(self.tokens)]
            requested_at, ended_at = time.monotonic(), self.ended.get(token)
            status = http.get(
                f"{self.url}/v1/verify", headers={"Authorization": f"Bearer {token}"}, timeout=30
            ).status_code
            self.responses += 1
            late = ended_at is not None and requested_at - ended_at > INVALIDATION_SECONDS
            if status not in (204, 401, 503) or (late and status == 204):
                self.errors.append(
                    f"{status}, {ended_at and requested_at - ended_at} s after the end"
                )


def end_in_every_way(app: Flask, worker: Worker, database: Database, logins: list[dict]) -> None:
    """End each session in another way. Each sends a notification."""

    def call(login: dict, method: str, path: str, **body: str) -> None:
        url, headers = f"{worker.url}{path}", {"Authorization": f"Bearer {login['token']}"}
        answer = requests.request(method, url, headers=headers, json=body or None, timeout=20)
        assert answer.status_code < 300, answer.text

    base = f"/v1/apps/{ACME_SHOP.appid}"
    logged_out, everywhere, refreshed, unbound, closed, *others = logins
    call(logged_out, "POST", f"{base}/logout")
    call(everywhere, "POST", f"{base}/logout-all")
    call(refreshed, "POST", f"{base}/refresh", refresh_token=refreshed["refresh_token"])
    call(unbound, "POST", f"{base}/unbind")
    call(closed, "DELETE", "/v1/me")
    revoked, disabled, expired, deleted = others
    database(ENDED_BY_TOKEN, token=revoked["token"])
    database("UPDATE users SET status = 'disabled' WHERE id = %(id)s", id=disabled["user"]["id"])
    database(
        "UPDATE login_sessions SET expires_at = now() WHERE token_hash = sha256(%(token)s::bytea)",
        token=expired["token"],
    )
    database(
        "DELETE FROM login_sessions WHERE token_hash = sha256(%(token)s::bytea)",
        token=deleted["token"],
    )


def test_every_way_to_end_a_session_reaches_every_worker(
    live_app: Flask, client: Client, wechat: WeChat, database: Database, service: Service
) -> None:
    workers = service.workers(2)
    logins = [client.bind(person) for person in people(wechat, 10)]
    untouched = logins[-1]["token"]
    for worker in workers:
        until(lambda worker=worker: has_cached(database, worker, untouched))
        assert all(worker.verify(login["token"]) == 204 for login in logins)
    end_in_every_way(live_app, workers[0], database, logins[:-1])
    time.sleep(INVALIDATION_SECONDS)
    for worker in workers:
        assert [worker.verify(login["token"]) for login in logins] == [401] * 9 + [204]


def test_ten_thousand_sessions_ended_by_one_statement_end_in_every_worker(
    live_app: Flask, client: Client, wechat: WeChat, database: Database, service: Service
) -> None:
    """Other users' sessions stay in the cache."""
    alice, bob = people(wechat, 2)
    token, others = client.bind(alice)["token"], client.bind(bob)["token"]
    copy_session(Reader(live_app), token, 10_000, "many")
    ended = [token, *(copied_token(number, "many") for number in range(1, 10_001, 250))]
    workers = service.workers(2)
    for worker in workers:
        until(lambda worker=worker: has_cached(database, worker, others))
        assert {worker.verify(token) for token in ended} == {204}
    path, headers = "/v1/me/sessions", {"Authorization": f"Bearer {token}"}
    answer = requests.delete(f"{service.url}{path}", headers=headers, timeout=20)
    assert answer.status_code == 204
    time.sleep(INVALIDATION_SECONDS)
    for worker in workers:
        assert worker.verify(token) == 204
        assert {worker.verify(token) for token in ended[1:]} == {401}
        until(lambda worker=worker: has_cached(database, worker, others))


def test_disabling_and_enabling_an_app_or_tenant_reaches_every_worker(
    live_app: Flask, client: Client, wechat: WeChat, database: Database, service: Service
) -> None:
    shop = client.bind(Person(wechat, "alice", "13800138001"))["token"]
    life = client.bind(Person(wechat, "carol", "13800138003"), GLOBEX_LIFE)["token"]
    workers = service.workers(2)
    for worker in workers:
        until(lambda worker=worker: has_cached(database, worker, shop))
        assert worker.verify(life) == 204
    for enabled, status in ((False, 401), (True, 204)):
        with live_app.app_context():
            set_app_enabled(ACME_SHOP.appid, enabled)
        switched = "active" if enabled else "disabled"
        database("UPDATE tenants SET status = %(it)s WHERE slug = 'globex'", it=switched)
        time.sleep(INVALIDATION_SECONDS)
        for worker in workers:
            assert [worker.verify(token) for token in (shop, life)] == [status, status]


def test_releasing_and_moving_an_appid_reaches_every_worker(
    live_app: Flask, client: Client, wechat: WeChat, service: Service
) -> None:
    """Each worker rejects the sessions of the former tenant, and logs in at the new one."""
    cafe = App("wxcafe0000000live1", "acme", "cd" * 16, "on_login")
    wechat.control("apps", appid=cafe.appid, secret=cafe.secret, open_platform="acme")
    new = NewApp(cafe.appid, "Café", "on_login", "json", cafe.secret)
    workers = service.workers(2)
    person = people(wechat, 1)[0]

    def log_in(worker: Worker) -> tuple[int, dict[str, str]]:
        url = f"{worker.url}/v1/apps/{cafe.appid}/login"
        answer = worker.http.post(url, json={"code": person.wx_login(cafe)}, timeout=20)
        return answer.status_code, answer.json()

    tokens = []
    for slug, other in (("acme", "globex"), ("globex", "acme")):
        with live_app.app_context():
            if not tokens:
                add_app(slug, new)
            tokens.append(client.log_in(person, cafe)["token"])
            assert [worker.verify(tokens[-1]) for worker in workers] == [204, 204]
            assert [log_in(worker)[0] for worker in workers] == [200, 200]
            claim_app(OPERATOR, tenant_id_of(other), new)
            move_app(OPERATOR, slug, cafe.appid, other)
        time.sleep(INVALIDATION_SECONDS)
        for worker in workers:
            assert {worker.verify(token) for token in tokens} == {401}
            assert worker.verify(log_in(worker)[1]["token"]) == 204
    with live_app.app_context():
        release_app(OPERATOR, "acme", cafe.appid)
    time.sleep(INVALIDATION_SECONDS)
    for worker in workers:
        status, problem = log_in(worker)
        assert (status, problem["code"]) == (404, "app_unknown")


def test_killed_listeners_reconnect_and_miss_no_ended_session(
    client: Client, wechat: WeChat, database: Database, service: Service
) -> None:
    tokens = [client.bind(person)["token"] for person in people(wechat, 12)]
    load = Load(service, tokens)
    workers = service.workers(2)
    with load.running():
        for _ in range(8):
            load.end(database)
            database(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'wxpass changes'"
            )
            time.sleep(0.3)
        time.sleep(INVALIDATION_SECONDS + 0.5)
    assert load.responses > 100
    assert load.errors == []
    for worker in workers:
        until(lambda worker=worker: has_cached(database, worker, tokens[-1]))


def test_a_worker_does_not_use_its_cache_while_its_listener_hangs(
    client: Client, wechat: WeChat, database: Database, service: Service
) -> None:
    workers = service.workers(2)
    alive, ended = (client.bind(person)["token"] for person in people(wechat, 2))
    for worker in workers:
        until(lambda worker=worker: has_cached(database, worker, alive))
        assert worker.verify(ended) == 204
    hanging = database.listeners()
    assert len(hanging) == 2
    with stopped(hanging):
        database(ENDED_BY_TOKEN, token=ended)
        time.sleep(INVALIDATION_SECONDS)
        for worker in workers:
            assert (worker.verify(alive), worker.verify(ended)) == (204, 401)
            assert not has_cached(database, worker, alive)
    for worker in workers:
        until(lambda worker=worker: has_cached(database, worker, alive))
        assert worker.verify(ended) == 401


def test_sessions_ended_around_a_restart_of_postgresql_are_rejected(
    client: Client, wechat: WeChat, database: Database, service: Service
) -> None:
    tokens = [client.bind(person)["token"] for person in people(wechat, 6)]
    load = Load(service, tokens)
    workers = service.workers(2)
    cluster = database.server._cluster
    with load.running():
        load.end(database)
        stop(cluster)
        time.sleep(INVALIDATION_SECONDS)
        assert start(cluster, ()) == ""
        load.end(database)
        for worker in workers:
            until(lambda worker=worker: has_cached(database, worker, tokens[-1]))
        load.end(database)
        time.sleep(INVALIDATION_SECONDS + 0.5)
    assert load.errors == []
    for worker in workers:
        assert [worker.verify(token) for token in tokens] == [401] * 3 + [204] * 3


@pytest.fixture
def growing(live_config: Config, database: Database, tmp_path: Path) -> Iterator[Service]:
    """A gunicorn that starts with one worker."""
    settings = {"DATABASE_URL": database.server.url, "GUNICORN_WORKERS": "1"}
    with serving(live_config, tmp_path, **settings) as service:
        yield service


def test_added_and_replaced_workers_receive_changes(
    client: Client, wechat: WeChat, database: Database, growing: Service
) -> None:
    alive, ended = (client.bind(person)["token"] for person in people(wechat, 2))
    (first,) = growing.workers(1)
    until(lambda: has_cached(database, first, alive))
    growing.process.send_signal(signal.SIGTTIN)
    growing.workers(2)
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{first.pid}").exists())
    workers = growing.workers(2)
    for worker in workers:
        until(lambda worker=worker: has_cached(database, worker, alive))
        assert worker.verify(ended) == 204
    database(ENDED_BY_TOKEN, token=ended)
    time.sleep(INVALIDATION_SECONDS)
    for worker in workers:
        assert (worker.verify(alive), worker.verify(ended)) == (204, 401)


@pytest.fixture(params=[-3600, 3600])
def skewed(
    request: pytest.FixtureRequest, live_config: Config, database: Database, tmp_path: Path
) -> Iterator[Service]:
    """A gunicorn with a clock that is an hour behind or ahead."""
    settings = {"DATABASE_URL": database.server.url, "GUNICORN_WORKERS": "1"}
    settings["SKEW"] = str(request.param)
    with serving(live_config, tmp_path, **settings) as service:
        yield service


def test_ended_sessions_are_rejected_by_workers_with_a_wrong_clock(
    client: Client, wechat: WeChat, database: Database, service: Service, skewed: Service
) -> None:
    alive, ended = (client.bind(person)["token"] for person in people(wechat, 2))
    workers = [*service.workers(2), *skewed.workers(1)]
    for worker in workers:
        until(lambda worker=worker: has_cached(database, worker, alive))
        assert worker.verify(ended) == 204
    url = f"{skewed.url}/v1/apps/{ACME_SHOP.appid}/logout"
    headers = {"Authorization": f"Bearer {ended}"}
    assert requests.post(url, headers=headers, timeout=20).status_code == 204
    time.sleep(INVALIDATION_SECONDS)
    for worker in workers:
        assert (worker.verify(alive), worker.verify(ended)) == (204, 401)

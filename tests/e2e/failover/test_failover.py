"""Failover between two real PostgreSQL servers under load."""

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import requests
from flask import Flask

from app import create_app
from app.extensions import db
from config import Config
from config.database_readers import translate
from tests.e2e.failover.conftest import Servers, people
from tests.fixtures.personas import ACME_CLUB, Client, Person, WeChat, failure
from tests.fixtures.servers.gunicorn import INVALIDATION_SECONDS, Service
from tests.fixtures.servers.replication import DATABASE
from tests.fixtures.traffic import Record, Traffic
from tests.fixtures.waiting import until

RECOVERY_SECONDS = 5.0
END = (
    "UPDATE login_sessions SET ended_at = now(), end_reason = 'revoked'"
    " WHERE token_hash = sha256(%s)"
)
IS_STORED = "SELECT count(*) FROM login_sessions WHERE token_hash = sha256(%s)"


def logs_in(service: Service, person: Person, http: requests.Session) -> requests.Response:
    """Log a person in, whose first login registers a user."""
    url = f"{service.url}/v1/apps/{ACME_CLUB.appid}/login"
    return http.post(url, json={"code": person.wx_login(ACME_CLUB)}, timeout=20)


def checks(service: Service, token: str, http: requests.Session) -> requests.Response:
    """Check a token in any worker: a new connection each time."""
    headers = {"Authorization": f"Bearer {token}", "Connection": "close"}
    return http.get(f"{service.url}/v1/verify", headers=headers, timeout=20)


def traffic_of(service: Service, wechat: WeChat, token: str) -> Traffic:
    """Return logins of three persons, and checks of one token."""
    kinds = {
        f"login {person.name}": partial(logs_in, service, person) for person in people(wechat, 3)
    }
    return Traffic(kinds | {"check": partial(checks, service, token)})


def many_checks(service: Service, token_of: Callable[[int], str], size: int = 60) -> list[int]:
    """Send many checks at the same time, and return the statuses of the responses."""
    with ThreadPoolExecutor(size) as pool:
        sent = [
            pool.submit(checks, service, token_of(number), requests.Session())
            for number in range(size)
        ]
        return [one.result().status_code for one in sent]


def unexpected(records: list[Record]) -> list[str]:
    """Return the failures other than 503 with Retry-After, and those that took too long."""
    return [
        str(one)
        for one in records
        if not one.has_succeeded
        and (one.status != 503 or one.retry_after is None or one.seconds > 6)
    ]


def test_a_promoted_standby_is_used_within_5_seconds_and_no_acknowledged_login_is_lost(
    ha_app: Flask, ha_service: Service, servers: Servers, wechat: WeChat
) -> None:
    primary, standby = servers
    token = Client(ha_app).bind(people(wechat, 1)[0])["token"]
    traffic = traffic_of(ha_service, wechat, token)
    with traffic.running():
        traffic.until_each_succeeds(0.0)
        primary.kill()
        standby.promote()
        promoted_at = time.monotonic()
        traffic.until_each_succeeds(promoted_at, RECOVERY_SECONDS)
        recovered_at = promoted_at + RECOVERY_SECONDS
        traffic.until_each_succeeds(recovered_at)
    assert unexpected(traffic.records) == []
    assert [str(one) for one in traffic.since(recovered_at) if not one.has_succeeded] == []
    acknowledged = [
        one.body["token"] for one in traffic.records if "login" in one.kind and one.has_succeeded
    ]
    assert len(acknowledged) > 10
    lost = [one for one in acknowledged if standby(IS_STORED, one.encode()) != [(1,)]]
    assert lost == []


def test_a_session_that_the_new_primary_has_ended_is_refused_after_the_old_one_was_frozen(
    ha_app: Flask, ha_service: Service, servers: Servers, wechat: WeChat
) -> None:
    """The former primary continues, still accepts writes, and does not know of the promotion."""
    primary, standby = servers
    token, other = (Client(ha_app).bind(person)["token"] for person in people(wechat, 2))
    workers = ha_service.workers(2)
    assert [worker.verify(token) for worker in workers] == [204, 204]
    # Each worker opens all connections of its pool, which requests will use again.
    assert {401} == set(many_checks(ha_service, lambda number: f"wxp_{number:043}"))
    primary.send(signal.SIGSTOP)
    standby.promote()
    standby(END, token.encode())
    time.sleep(INVALIDATION_SECONDS)
    assert 204 not in [worker.verify(token) for worker in workers]
    until(lambda: [worker.verify(other) for worker in workers] == [204, 204])
    primary.send(signal.SIGCONT)
    assert primary("SELECT pg_is_in_recovery()") == [(False,)]
    for _ in range(5):
        assert {401} == set(many_checks(ha_service, lambda _: token))
        assert {204} == set(many_checks(ha_service, lambda _: other))


def test_a_standby_is_not_ready_and_the_pool_keeps_none_of_its_connections(
    ha_app: Flask, config: Config, servers: Servers
) -> None:
    url = f"postgresql://postgres@{servers[1].address}/{DATABASE}"
    app = create_app(replace(config, database_url=translate("DATABASE_URL", url)))
    answer = Client(app).send("GET", "/readyz")
    assert failure(answer) == (503, "database_read_only")
    assert answer.headers["Retry-After"]
    answer = Client(app).me("wxp_" + "x" * 43)
    assert failure(answer) == (503, "database_unavailable")
    with app.app_context():
        assert db.engine.pool.checkedin() == 0
        assert db.engine.pool.checkedout() == 0

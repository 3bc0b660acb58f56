"""Overload of real workers: the excess gets 503 with Retry-After, and other requests are served."""

import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from flask import Flask

from tests.e2e.live.conftest import Database
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import ACME_CLUB, ACME_SHOP, App, Person, WeChat, enter_user
from tests.fixtures.servers.gunicorn import Service, stopped
from tests.fixtures.waiting import until

FLOOD = 300


@pytest.fixture(autouse=True)
def no_faults(wechat: WeChat) -> None:
    """Deactivate the faults that earlier tests have left active."""
    wechat.reset()


def log_in(service: Service, code: str, app: App = ACME_SHOP) -> requests.Response:
    url = f"{service.url}/v1/apps/{app.appid}/login"
    return requests.post(url, json={"code": code}, timeout=30)


def log_in_with_password(
    service: Service, account: str, password: str, agent: str = "phone"
) -> requests.Response:
    return requests.post(
        f"{service.url}/v1/apps/{ACME_SHOP.appid}/password-login",
        json={"account": account, "password": password},
        headers={"User-Agent": agent},
        timeout=30,
    )


@contextmanager
def flood(request: Callable[[int], requests.Response], size: int = FLOOD) -> Iterator[list[Any]]:
    """Send many requests at the same time, and yield a list that their responses are put into."""
    answers: list[requests.Response] = []
    with ThreadPoolExecutor(size) as pool:
        sent = [pool.submit(request, number) for number in range(size)]
        yield answers
        answers.extend(one.result() for one in sent)


def seconds_of(request: Callable[[], requests.Response]) -> float:
    """Return how long a successful request takes."""
    began = time.perf_counter()
    assert request().status_code == 200
    return time.perf_counter() - began


def codes_of(answers: list[requests.Response]) -> Counter[tuple[int, str]]:
    return Counter((one.status_code, one.json().get("code", "")) for one in answers)


def test_a_hanging_wechat_of_one_app_does_not_delay_other_apps(
    service: Service, wechat: WeChat, alice: Person
) -> None:
    bound = log_in(service, alice.wx_login(ACME_CLUB), ACME_CLUB).json()["token"]
    codes = [alice.wx_login() for _ in range(FLOOD)]
    others = [alice.wx_login(ACME_CLUB) for _ in range(5)]
    headers = {"Authorization": f"Bearer {bound}"}
    wechat.fault("slow", seconds=4.0, times=FLOOD, appid=ACME_SHOP.appid)
    with flood(lambda number: log_in(service, codes[number])) as answers:
        until(lambda: wechat.ask("calls")["most_waiting"] >= 20)
        slowest = max(seconds_of(partial(log_in, service, code, ACME_CLUB)) for code in others)
        url = f"{service.url}/v1/apps/{ACME_CLUB.appid}/logout"
        began = time.perf_counter()
        assert requests.post(url, headers=headers, timeout=30).status_code == 204
        slowest = max(slowest, time.perf_counter() - began)
    assert slowest < 2
    counted = codes_of(answers)
    assert counted[503, "wechat_busy"] >= FLOOD - 80
    assert counted[200, ""] >= 20
    busy = [one for one in answers if one.status_code == 503]
    assert {int(one.headers["Retry-After"]) for one in busy} <= set(range(3, 9))


def test_guessed_passwords_do_not_delay_users_at_known_devices(
    service: Service, live_app: Flask
) -> None:
    enter_user(live_app, account="known", password=GOOD_PASSWORD)
    assert log_in_with_password(service, "known", GOOD_PASSWORD).status_code == 200
    with flood(
        lambda number: log_in_with_password(service, f"guess{number}", "wrong password", "other")
    ) as answers:
        took = [
            seconds_of(lambda: log_in_with_password(service, "known", GOOD_PASSWORD))
            for _ in range(3)
        ]
    assert sorted(took)[1] < 2
    counted = codes_of(answers)
    assert counted[503, "passwords_busy"] > 0
    busy = [one for one in answers if one.status_code == 503]
    assert {one.headers["Retry-After"] for one in busy} == {"3"}
    expected = {(503, "passwords_busy"), (401, "credentials_wrong"), (429, "too_many_tries")}
    assert set(counted) <= expected


def test_disconnected_clients_occupy_no_turn(service: Service, live_app: Flask) -> None:
    enter_user(live_app, account="patient", password=GOOD_PASSWORD)
    host, port = service.url.removeprefix("http://").split(":")
    for number in range(200):
        body = f'{{"account": "gone{number}", "password": "wrong password"}}'
        with socket.create_connection((host, int(port))) as client:
            client.sendall(
                f"POST /v1/apps/{ACME_SHOP.appid}/password-login HTTP/1.1\r\nHost: wxpass\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                + body.encode()
            )
    took = seconds_of(lambda: log_in_with_password(service, "patient", GOOD_PASSWORD, "new"))
    assert took < 2.5


@contextmanager
def frozen(database: Database) -> Iterator[None]:
    """Stop all processes of the PostgreSQL server."""
    [(folder,)] = database("SHOW data_directory")
    postmaster = int(Path(folder, "postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    with stopped([postmaster, *map(int, children)]):
        yield


def test_a_frozen_postgresql_leads_to_503_within_5_seconds(
    service: Service, database: Database, alice: Person
) -> None:
    codes = [alice.wx_login() for _ in range(20)]
    assert log_in(service, alice.wx_login()).status_code == 200
    with frozen(database):
        began = time.perf_counter()
        with flood(lambda number: log_in(service, codes[number]), len(codes)) as answers:
            ready = requests.get(f"{service.url}/readyz", timeout=30)
            assert time.perf_counter() - began < 2
            assert ready.status_code == 503
        assert time.perf_counter() - began < 6
    assert set(codes_of(answers)) == {(503, "database_unavailable")}
    until(lambda: log_in(service, alice.wx_login()).status_code == 200)
    until(lambda: requests.get(f"{service.url}/readyz", timeout=30).status_code == 200)


def test_requests_wait_for_the_pool_at_the_servers_connection_limit(
    service: Service, database: Database, alice: Person
) -> None:
    codes = [alice.wx_login() for _ in range(15)]
    # Each worker has a connection to wait for.
    for worker in service.workers(2):
        url = f"{worker.url}/v1/apps/{ACME_SHOP.appid}/login"
        assert worker.http.post(url, json={"code": alice.wx_login()}, timeout=30).ok
    with ExitStack() as held:
        with suppress(psycopg.OperationalError):
            while True:
                held.enter_context(psycopg.connect(database.server.url))
        with flood(lambda number: log_in(service, codes[number]), len(codes)) as answers:
            pass
    assert set(codes_of(answers)) == {(200, "")}


def test_a_slow_body_gets_408_and_a_slow_head_closes_the_connection(service: Service) -> None:
    host, port = service.url.removeprefix("http://").split(":")
    head = (
        f"POST /v1/apps/{ACME_SHOP.appid}/login HTTP/1.1\r\nHost: wxpass\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n"
    ).encode()
    began = time.perf_counter()
    with (
        socket.create_connection((host, int(port)), timeout=30) as slow_head,
        socket.create_connection((host, int(port)), timeout=30) as slow_body,
    ):
        slow_head.sendall(head)
        slow_body.sendall(head + b"\r\n{")
        answer = slow_body.recv(4096)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"request_timeout" in answer + slow_body.recv(4096)
        assert slow_head.recv(4096) == b""
    assert 9 < time.perf_counter() - began < 12


def test_rejected_codes_are_sent_to_wechat_once_per_worker_and_then_limited(
    service: Service, wechat: WeChat, alice: Person
) -> None:
    before = len(wechat.calls())
    same = [log_in(service, "wrong code", ACME_CLUB) for _ in range(20)]
    assert set(codes_of(same)) == {(400, "code_invalid")}
    assert len(wechat.calls()) - before <= 2
    with ThreadPoolExecutor(5) as pool:
        different = list(
            pool.map(lambda number: log_in(service, f"wrong code {number}", ACME_CLUB), range(90))
        )
    limited = [one for one in different if one.status_code == 429]
    assert {one.json()["code"] for one in limited} == {"codes_too_many"}
    assert {int(one.headers["Retry-After"]) for one in limited} <= set(range(1, 61))
    # Each of the two workers allows 30 failures in a minute, of this address and User-Agent. The
    # other four requests may be in flight when a worker reaches its limit.
    assert len(wechat.calls()) - before <= 2 + 2 * (30 + 4)
    url = f"{service.url}/v1/apps/{ACME_CLUB.appid}/login"
    body = {"code": alice.wx_login(ACME_CLUB)}
    answer = requests.post(url, json=body, headers={"User-Agent": "another phone"}, timeout=30)
    assert answer.status_code == 200
